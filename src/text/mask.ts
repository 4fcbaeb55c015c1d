/** Masks secrets in text. */

const sign = '***';
/** A shorter line of a multi-line secret says nothing, and occurs in many texts by chance. */
const shortestLine = 8;
/**
 * This much of a secret's beginning reveals it. Patterns are short, because the time to find one
 * grows with its length times the text's.
 */
const tellingLength = 64;

export class Mask {
  readonly #secrets: readonly string[];

  /** Also masks each secret as it appears in JSON and URLs, and its longer lines. */
  constructor(secrets: Iterable<string>) {
    this.#secrets = [...new Set([...secrets].flatMap(formsOf))];
  }

  /** The text with `***` for each secret. `signFor` returns another replacement. */
  text(text: string, signFor: (secret: string) => string = () => sign): string {
    const marks = this.marksOf(text);
    if (marks === null) return text;
    const parts: string[] = [];
    for (let start = 0, end = 0; start < text.length; start = end) {
      while (end < text.length && marks[end] === marks[start]) end += 1;
      const part = text.slice(start, end);
      parts.push(marks[start] === 1 ? signFor(part) : part);
    }
    return parts.join('');
  }

  /** 1 for each unit of the text that is part of a secret. Null if none is. */
  marksOf(text: string): Uint8Array | null {
    let marks: Uint8Array | null = null;
    for (const secret of this.#secrets) {
      const beginning = secret.slice(0, tellingLength);
      for (let start = text.indexOf(beginning); start >= 0; ) {
        let end = start + beginning.length;
        while (end - start < secret.length && text[end] === secret[end - start]) end += 1;
        marks ??= new Uint8Array(text.length);
        marks.fill(1, start, end);
        start = text.indexOf(beginning, end);
      }
    }
    return marks;
  }

  /** Masks without changing the number of UTF-8 bytes, for text addressed by byte offsets. */
  bytewise(text: string): string {
    return this.text(text, (secret) => '*'.repeat(Buffer.byteLength(secret)));
  }

  /** Masks all text in a value, including keys. Parts without a secret stay the same objects. */
  value<Value>(value: Value): Value {
    // Cast: the result has the input's shape; text stays text.
    return this.#valueOf(value) as Value;
  }

  #valueOf(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (typeof value !== 'object' || value === null || value instanceof Date) return value;
    if (Array.isArray(value)) return value.map((entry) => this.#valueOf(entry));
    const entries = Object.entries(value);
    const masked = entries.map(([key, entry]) => [this.text(key), this.#valueOf(entry)] as const);
    const isSame = masked.every(([key, entry], i) => key === entries[i]?.[0] && entry === entries[i]?.[1]);
    return isSame ? value : Object.fromEntries(masked);
  }

  /** The patterns that may begin at the end of a text. */
  get wanted(): readonly Wanted[] {
    return this.#secrets.map((secret) => ({ secret, borders: bordersOf(secret) }));
  }
}

/**
 * Masks text that comes in pieces, which may split a secret. A possible beginning of one is held
 * back, unmasked, until more has come: after masking, the rest of the secret would not be
 * recognized.
 */
export class MaskedStream {
  readonly #mask: Mask;
  readonly #wanted: readonly Wanted[];
  #held = '';
  /** How many of the held units belong to a secret whose mask was written. */
  #told = 0;

  constructor(mask: Mask) {
    this.#mask = mask;
    this.#wanted = mask.wanted;
  }

  write(text: string): string {
    const whole = this.#held + text;
    return this.#tell(whole, Math.min(whole.length, ...this.#wanted.map((wanted) => openEndOf(whole, wanted))));
  }

  /** Ends the stream. */
  end(): string {
    return this.#tell(this.#held, this.#held.length);
  }

  /** Writes the text up to `end` and holds the rest. */
  #tell(text: string, end: number): string {
    const marks = this.#mask.marksOf(text) ?? new Uint8Array(text.length);
    marks.fill(1, 0, this.#told);
    const parts: string[] = [];
    let within = this.#told > 0;
    for (let start = 0, at = 0; start < end; start = at) {
      while (at < end && marks[at] === marks[start]) at += 1;
      if (marks[start] !== 1) parts.push(text.slice(start, at));
      else if (!within) parts.push(sign);
      within = marks[start] === 1;
    }
    const rest = within ? marks.subarray(end).indexOf(0) : 0;
    this.#told = rest < 0 ? text.length - end : rest;
    this.#held = text.slice(end);
    return parts.join('');
  }
}

interface Wanted {
  readonly secret: string;
  readonly borders: readonly number[];
}

function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const lines = secret.split(/\r?\n/).filter((line) => line.length >= shortestLine);
  return [secret, json, encodeURIComponent(secret.toWellFormed()), ...lines].filter((form) => form !== '');
}

/**
 * Looks at each unit once, like Knuth, Morris and Pratt: how much of the secret's beginning ends at
 * a unit follows from the unit before.
 */
function openEndOf(text: string, { secret, borders }: Wanted): number {
  let matched = 0;
  for (let at = Math.max(0, text.length - secret.length + 1); at < text.length; at += 1)
    matched = advance(secret, borders, matched, text[at]);
  return text.length - matched;
}

/** For each prefix length of a secret, the longest shorter prefix that it ends with. */
function bordersOf(secret: string): number[] {
  const borders = [0, 0];
  for (let at = 1; at < secret.length; at += 1) borders.push(advance(secret, borders, borders[at] ?? 0, secret[at]));
  return borders;
}

function advance(secret: string, borders: readonly number[], matched: number, unit: string | undefined): number {
  let length = matched;
  while (length > 0 && secret[length] !== unit) length = borders[length] ?? 0;
  return secret[length] === unit ? length + 1 : 0;
}
