/**
 * JSON that goes from the store into an answer as text. To parse, measure and write a document
 * takes ten to a hundred times as long as to copy it.
 */

/** No text that a client stored has it, because none may contain NUL. */
const MARK = '\0JSON';
const WRITTEN_MARK = JSON.stringify(MARK);

/** The texts that marks stand for, in their order. Null: nobody collects them. */
let collected: string[] | null = null;

export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): unknown {
    if (collected === null) return JSON.parse(this.text);
    collected.push(this.text);
    return MARK;
  }
}

/** As JSON.stringify, with each JsonText as it is. */
export function stringify(value: unknown): string {
  const texts: string[] = [];
  collected = texts;
  let marked: string;
  try {
    marked = JSON.stringify(value);
  } finally {
    collected = null;
  }
  if (texts.length === 0) return marked;
  const [first = '', ...others] = marked.split(WRITTEN_MARK);
  // Someone else wrote the mark as well: now each text is parsed.
  if (others.length !== texts.length) return JSON.stringify(value);
  return others.reduce((sum, part, i) => sum + (texts[i] ?? '') + part, first);
}
