/**
 * Matches the regular expressions of schemas in time linear in the text: by RE2, in JavaScript.
 *
 * A schema's patterns are ECMAScript's with the flag `u`. RE2 writes some parts differently and
 * gives some other meanings, so patterns are translated. What RE2 cannot express (lookahead and
 * lookbehind, back references, more than a thousand repetitions) is left to V8. The thread in which
 * this runs is ended when it takes too long.
 */
import { RE2JS } from 're2js';

export interface Pattern {
  test(text: string): boolean;
  /** Equal for patterns that match the same: ajv identifies them by it. */
  toString(): string;
}

/** Patterns of the schemas in use. Each takes some milliseconds to compile. */
const MOST_KNOWN = 1_000;
const known = new Map<string, Pattern>();

/** ajv's "regular expression engine". Throws a SyntaxError for an invalid pattern. */
export const compilePattern = Object.assign(
  (pattern: string, _flags: string): Pattern => {
    const before = known.get(pattern);
    if (before) return before;
    if (known.size >= MOST_KNOWN) known.clear();
    const compiled = compile(pattern);
    known.set(pattern, compiled);
    return compiled;
  },
  // The name by which ajv's generated code would refer to it, if that were written to a file.
  { code: 'compilePattern' },
);

function compile(pattern: string): Pattern {
  const usual = new RegExp(pattern, 'u');
  try {
    const linear = RE2JS.compile(new Translation(pattern).text());
    return { test: (text) => linear.test(text), toString: () => String(usual) };
  } catch {
    return usual;
  }
}

/** A pattern that RE2 cannot express. */
class Untranslatable extends Error {}

/** White space and line ends as in ECMAScript's \s, and all other characters. */
const SPACE = String.raw`\x{9}-\x{d}\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`;
const NO_SPACE = String.raw`\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`;
const ANY_BUT_LINE_ENDS = String.raw`[^\n\r\x{2028}\x{2029}]`;
const NOTHING = String.raw`[^\x{0}-\x{10ffff}]`;
const ANYTHING = String.raw`[\x{0}-\x{10ffff}]`;

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Translates a pattern that `new RegExp(pattern, 'u')` accepts into RE2's syntax. */
class Translation {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /** Throws Untranslatable. */
  text(): string {
    let text = '';
    while (this.#at < this.#pattern.length) text += this.#term();
    return text;
  }

  /** `form` is sticky. */
  #take(form: RegExp): RegExpExecArray | null {
    form.lastIndex = this.#at;
    const found = form.exec(this.#pattern);
    if (found) this.#at = form.lastIndex;
    return found;
  }

  #term(): string {
    const plain = this.#take(/[\^$|)]|[*+?]\??|\{\d+(?:,\d*)?\}\??/uy);
    if (plain) return plain[0];
    // No captures are needed.
    if (this.#take(/\((?!\?)|\(\?:|\(\?<(?![=!])[^>]+>/uy)) return '(?:';
    if (this.#take(/\(/uy)) throw new Untranslatable();
    if (this.#take(/\./uy)) return ANY_BUT_LINE_ENDS;
    if (this.#take(/\[/uy)) return this.#characterClass();
    const set = this.#set();
    if (set !== null) return `[${set}]`;
    const border = this.#take(/\\[bB]/uy);
    return border ? border[0] : written(this.#character());
  }

  /** After its bracket. */
  #characterClass(): string {
    const isNegated = this.#take(/\^/uy) !== null;
    let inside = '';
    while (!this.#take(/\]/uy)) {
      const set = this.#set();
      if (set !== null) {
        inside += set;
        continue;
      }
      const from = this.#character(true);
      // A hyphen before the end or a set is literal.
      inside += this.#take(/-(?!\])(?!\\[dDsSwWpP])/uy) ? `${written(from)}-${written(this.#character(true))}` : written(from);
    }
    if (inside === '') return isNegated ? ANYTHING : NOTHING;
    return `[${isNegated ? '^' : ''}${inside}]`;
  }

  /** \d and the like, as part of a class. */
  #set(): string | null {
    const [, name, property] = this.#take(/\\([dDwWsS]|[pP]\{([^}]*)\})/uy) ?? [];
    if (name === undefined) return null;
    if (name === 's') return SPACE;
    if (name === 'S') return NO_SPACE;
    // Only general categories by their short names: each engine knows its own scripts and other
    // properties.
    if (property !== undefined && !/^[A-Z][a-z]?$/.test(property)) throw new Untranslatable();
    return `\\${name}`;
  }

  #character(isInClass = false): number {
    const [, escaped] =
      this.#take(/\\(u[\da-fA-F]{4}\\u[\da-fA-F]{4}|u[\da-fA-F]{4}|u\{[\da-fA-F]+\}|x[\da-fA-F]{2}|c[a-zA-Z]|[\s\S])/uy) ?? [];
    if (escaped === undefined) return codeOf(this.#take(/[\s\S]/uy)?.[0] ?? '');
    if (/^[ux]./.test(escaped)) return this.#hexadecimal(escaped);
    if (/^c./.test(escaped)) return codeOf(escaped.slice(1)) % 32;
    if (escaped === '0') return 0;
    if (escaped === 'b' && isInClass) return 8;
    // A back reference.
    if (/^[1-9k]$/.test(escaped)) throw new Untranslatable();
    return controls[escaped] ?? codeOf(escaped);
  }

  /**
   * A surrogate pair is one character. Two that do not match are two, of which the second is read
   * next.
   */
  #hexadecimal(escaped: string): number {
    const [first = '', second] = escaped.split('\\u').map((digits) => digits.replaceAll(/[ux{}]/g, ''));
    const code = Number.parseInt(first, 16);
    if (second === undefined) return code;
    const pair = codeOf(String.fromCharCode(code, Number.parseInt(second, 16)));
    if (pair > 0xffff) return pair;
    this.#at -= '\\u0000'.length;
    return code;
  }
}

const codeOf = (character: string): number => character.codePointAt(0) ?? 0;

function written(code: number): string {
  // RE2 does not accept half a surrogate pair.
  if (code >= 0xd800 && code <= 0xdfff) throw new Untranslatable();
  return `\\x{${code.toString(16)}}`;
}
