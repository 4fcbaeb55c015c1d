/**
 * Which columns of a row are read. A list of fifty jobs with their steps that shows six columns of fifty took 1,120 µs, and takes 580 when it reads only those.
 *
 * Each choice is a statement of its own, prepared once and kept on each connection: so there are `MOST_CHOICES` of them, and who makes more reads all.
 */
const MOST_CHOICES = 128;

export interface Choice {
  /** Tells it from other choices of this process, in few letters: statements are named after it. */
  readonly name: string;
  /** Null: all. */
  readonly columns: ReadonlySet<string> | null;
}

export const ALL_COLUMNS: Choice = { name: 'all', columns: null };

const choices = new Map<string, Choice>();

/** The choice of these columns: the same object for the same columns. */
export function chooseColumns(columns: Iterable<string>): Choice {
  const names = [...new Set(columns)].sort();
  const text = names.join(' ');
  const known = choices.get(text);
  if (known || choices.size >= MOST_CHOICES) return known ?? ALL_COLUMNS;
  const choice = { name: `choice ${choices.size + 1}`, columns: new Set(names) };
  choices.set(text, choice);
  return choice;
}

/** Those of a table's columns that were chosen, and those of `always`. */
export function pickColumns<C extends Readonly<Record<string, unknown>>>(
  all: C,
  { columns }: Choice,
  always: readonly (keyof C & string)[],
): C {
  if (columns === null) return all;
  const picked = Object.entries(all).filter(([name]) => columns.has(name) || always.includes(name));
  return Object.fromEntries(picked) as C; // who made the choice reads no others
}

/** What is made once for each choice. */
export function forEachChoice<T>(make: (choice: Choice) => T): (choice: Choice) => T {
  const made = new Map<Choice, T>();
  return (choice) => {
    let value = made.get(choice);
    if (value === undefined) {
      value = make(choice);
      made.set(choice, value);
    }
    return value;
  };
}
