/** The kinds of settings: how each is parsed, checked and written. */
import type { Basics, Setting } from './setting.ts';

interface Range {
  readonly atLeast: number;
  readonly atMost: number;
}

/** Text that matches a pattern. */
export function text(basics: Basics<string> & { placeholder: string; pattern: RegExp; takes: string }): Setting<string> {
  const { pattern } = basics;
  return { ...basics, read: (said) => (pattern.test(said) ? said : undefined), write: (value) => value };
}

/** Optional text: null if it is not set. */
export function optionalText(
  basics: Omit<Basics<null>, 'byDefault'> & { placeholder: string; pattern: RegExp; takes: string },
): Setting<string | null> {
  const { pattern } = basics;
  const read = (said: string) => (said === '' ? null : pattern.test(said) ? said : undefined);
  return { ...basics, byDefault: null, read, write: (value) => value ?? '' };
}

/** A whole number. */
export function whole({ atLeast, atMost, ...basics }: Basics<number> & Range): Setting<number> {
  const read = (said: string) => (/^\d{1,15}$/.test(said) ? within(Number(said), atLeast, atMost) : undefined);
  return { ...basics, placeholder: 'N', takes: `a whole number from ${atLeast} to ${atMost}`, read, write: String };
}

/** A list separated by commas, whose entries are checked. */
export function list(
  basics: Basics<readonly string[]> & { placeholder: string; takes: string; isEntry: (entry: string) => boolean },
): Setting<readonly string[]> {
  const { isEntry } = basics;
  const read = (said: string) => {
    const entries = said
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    return entries.every(isEntry) ? entries : undefined;
  };
  return { ...basics, read, write: (value) => value.join(',') };
}

/** One of a few words. */
export function oneOf<const W extends string>({ of, ...basics }: Basics<W> & { of: readonly W[] }): Setting<W> {
  const read = (said: string) => of.find((word) => word === said);
  return { ...basics, placeholder: of.join('|'), takes: `one of ${of.join(', ')}`, read, write: (value) => value };
}

export function onOff(basics: Basics<boolean>): Setting<boolean> {
  const read = (said: string) => (said === 'on' ? true : said === 'off' ? false : undefined);
  return { ...basics, placeholder: 'on|off', takes: 'on or off', read, write: (value) => (value ? 'on' : 'off') };
}

/** A flag without a value, for something done once. */
export function flagAlone(basics: Basics<false>): Setting<boolean> {
  return {
    ...basics,
    hasNoVariable: true,
    placeholder: '',
    takes: 'nothing',
    read: (said) => said === 'on',
    write: (value) => (value ? 'on' : ''),
  };
}

/** On or off. The flag takes no value and means on. */
export function toggle(basics: Omit<Basics<boolean>, 'byDefault'>): Setting<boolean> {
  return { ...onOff({ ...basics, byDefault: false }), placeholder: '' };
}

/** The given setting, or `off`: null. */
export function orOff<V>(setting: Setting<V>): Setting<V | null> {
  return {
    ...setting,
    placeholder: `${setting.placeholder}|off`,
    takes: `${setting.takes}, or off`,
    read: (said) => (said === 'off' ? null : setting.read(said)),
    write: (value) => (value === null ? 'off' : setting.write(value)),
  };
}

const SIZES = { TiB: 1024 ** 4, TB: 1e12, GiB: 1024 ** 3, GB: 1e9, MiB: 1024 ** 2, MB: 1e6, KiB: 1024, KB: 1_000, B: 1 } as const;

/**
 * An amount of bytes: `64KiB`, `1MB`, `1.5GB`. KB is 1000 and KiB is 1024, as in SI. A number
 * without a unit is bytes.
 */
export function bytes({ atLeast, atMost, ...basics }: Basics<number> & Range): Setting<number> {
  const read = (said: string) => {
    const amount = readAmount(said, SIZES, 'B');
    return amount === undefined ? undefined : within(amount, atLeast, atMost);
  };
  const write = (value: number) => writeAmount(value, SIZES);
  return { ...basics, placeholder: 'BYTES', takes: `an amount from ${write(atLeast)} to ${write(atMost)}, such as 64KiB`, read, write };
}

const TIMES = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/**
 * A duration: `30s`, `10m`, `7d`. Value, range and default are counted in `unit`, of which a
 * duration must be a whole number.
 */
export function duration({ unit, atLeast, atMost, ...basics }: Basics<number> & Range & { unit: keyof typeof TIMES }): Setting<number> {
  const size = TIMES[unit];
  const read = (said: string) => {
    const ms = readAmount(said, TIMES, null);
    return ms === undefined || ms % size !== 0 ? undefined : within(ms / size, atLeast, atMost);
  };
  const write = (value: number) => writeAmount(value * size, TIMES);
  return {
    ...basics,
    placeholder: 'TIME',
    takes: `a duration from ${write(atLeast)} to ${write(atMost)}, such as 30s or 10m`,
    read,
    write,
  };
}

function within(value: number, atLeast: number, atMost: number): number | undefined {
  return value >= atLeast && value <= atMost ? value : undefined;
}

function readAmount(said: string, units: Readonly<Record<string, number>>, unitByDefault: string | null): number | undefined {
  const [, digits = '', letters = ''] = /^(\d{1,15}(?:\.\d{1,3})?) ?([A-Za-z]*)$/.exec(said) ?? [];
  if (digits === '') return undefined;
  if (letters === '' && Number(digits) === 0) return 0;
  const named = letters === '' ? unitByDefault : Object.keys(units).find((unit) => unit.toLowerCase() === letters.toLowerCase());
  const size = named == null ? undefined : units[named];
  if (size === undefined) return undefined;
  const amount = Number(digits) * size;
  return Number.isSafeInteger(amount) ? amount : undefined;
}

/** Uses the largest unit that gives a whole number. */
function writeAmount(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, size] = Object.entries(units).find(([, size]) => value >= size && value % size === 0) ?? ['', 1];
  return `${value / size}${unit}`;
}
