/**
 * Chooses which columns of a row are read. A list of fifty jobs with their steps that shows six
 * columns of fifty took 1,120 µs, and takes 580 when it reads only those.
 *
 * Each choice is a statement of its own, prepared once and kept on each connection. So there are at
 * most `MOST_CHOICES`; after that, all columns are read but the long JSON that was not chosen.
 */
import { getTableColumns, is } from 'drizzle-orm';
import { SQLiteTable } from 'drizzle-orm/sqlite-core';
import { isDocument, isLongJson } from '../schema/columns.ts';
import { tables } from '../schema/sqlite.ts';

const MOST_CHOICES = 128;

const all = Object.values(tables).flatMap((table) => (is(table, SQLiteTable) ? Object.entries(getTableColumns(table)) : []));
const long = new Set(all.filter(([, column]) => isDocument(column) || isLongJson(column)).map(([name]) => name));
const short = all.map(([name]) => name).filter((name) => !long.has(name));

export interface Choice {
  /**
   * A short name that tells it from the other choices of this process. Statements are named after
   * it.
   */
  readonly name: string;
  /** Null: all. */
  readonly columns: ReadonlySet<string> | null;
}

export const ALL_COLUMNS: Choice = { name: 'all', columns: null };

const choices = new Map<string, Choice>();

const keyOf = (names: ReadonlySet<string>): string => [...names].sort().join(' ');

/** Returns the choice of these columns: the same object for the same columns. */
export function chooseColumns(columns: Iterable<string>): Choice {
  const chosen = new Set(columns);
  const known = choices.get(keyOf(chosen));
  if (known) return known;
  // Few are possible beyond the limit: one for each choice of long columns.
  const names = choices.size < MOST_CHOICES ? chosen : new Set([...short, ...[...chosen].filter((name) => long.has(name))]);
  const text = keyOf(names);
  const choice = choices.get(text) ?? { name: `choice ${choices.size + 1}`, columns: names };
  choices.set(text, choice);
  return choice;
}

/** The chosen columns of a table, and those in `always`. */
export function pickColumns<C extends Readonly<Record<string, unknown>>>(
  all: C,
  { columns }: Choice,
  always: readonly (keyof C & string)[],
): C {
  if (columns === null) return all;
  const picked = Object.entries(all).filter(([name]) => columns.has(name) || always.includes(name));
  return Object.fromEntries(picked) as C; // the caller reads only the columns it chose
}

/** Makes something once for each choice. */
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
