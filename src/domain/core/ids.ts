/**
 * Ids are TypeIDs: a prefix for the type and a UUIDv7 in Crockford's base32. They sort by creation
 * time. https://github.com/jetify-com/typeid/tree/main/spec
 */
export const prefixes = {
  Project: 'proj',
  Job: 'job',
  JobItem: 'item',
  Step: 'step',
  Device: 'dev',
  Fragment: 'frag',
  ApiKey: 'key',
  Experiment: 'exp',
  Application: 'app',
  Model: 'model',
  ModelVersion: 'mver',
  AuditEntry: 'audit',
} as const;
export type NodeType = keyof typeof prefixes;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const typeOfPrefix: ReadonlyMap<string, NodeType> = new Map(Object.entries(prefixes).map(([type, prefix]) => [prefix, type as NodeType])); // keys of the literal above

/** Encodes the 16 bytes of a UUIDv7 as 26 characters: the first holds 3 bits, the others 5 each. */
function encode(bytes: Uint8Array): string {
  let text = '';
  let value = 0;
  // Two zeros come first: 130 bits are 26 characters.
  let bits = 2;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET.charAt((value >> (bits - 5)) & 31);
    value &= 31;
  }
  return text;
}

export interface Ids {
  next(type: NodeType): string;
}

/**
 * Makes ids in ascending order, even within a millisecond and when the clock goes back: the 12 bits
 * after the time count up.
 */
export function createIds(now: () => Date, random: (bytes: number) => Uint8Array): Ids {
  let lastMs = 0;
  let count = 0;
  return {
    next(type) {
      const ms = Math.max(now().getTime(), lastMs);
      count = ms === lastMs ? count + 1 : 0;
      // More than 4,096 in one millisecond: borrow from the next one.
      lastMs = count > 0xfff ? ms + 1 : ms;
      if (count > 0xfff) count = 0;
      const bytes = random(16);
      const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
      view.setUint32(0, Math.floor(lastMs / 0x10000));
      view.setUint16(4, lastMs % 0x10000);
      view.setUint16(6, 0x7000 | count);
      view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
      return `${prefixes[type]}_${encode(bytes)}`;
    },
  };
}

/** Comes before every id of this type that is made at this time or later. */
export function firstId(type: NodeType, ms: number): string {
  const bytes = new Uint8Array(16);
  const time = Math.min(Math.max(Math.floor(ms), 0), LAST_MS);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(time / 0x10000));
  view.setUint16(4, time % 0x10000);
  return `${prefixes[type]}_${encode(bytes)}`;
}
/** The 48 bits of the time. */
const LAST_MS = 2 ** 48 - 1;

/** The type of object that this id names. Null if it is not a valid id. */
export function typeOfId(id: string): NodeType | null {
  const match = /^([a-z]+)_[0-7][0-9a-hjkmnp-tv-z]{25}$/.exec(id);
  return (match && typeOfPrefix.get(match[1] ?? '')) ?? null;
}
