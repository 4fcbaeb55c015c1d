/**
 * A tar of plain files whose bytes depend on nothing but their paths, their content and whether
 * they can be executed. The format is pax (POSIX.1-2001): ustar, with an extended header for a path
 * that does not fit. It is not compressed: not all versions of zlib compress alike, and the same
 * folder would have several hashes. The Python package writes the same bytes
 * (python/src/trainyard/_folder.py).
 */
const BLOCK = 512;
const MOST_PLAIN_PATH = 100;

export interface TarEntry {
  /** Relative, with slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly isExecutable: boolean;
}

/** The blocks before the content of a file. */
export function tarHeader({ path, sizeBytes, isExecutable }: TarEntry): Buffer {
  const mode = isExecutable ? 0o755 : 0o644;
  if (path.length <= MOST_PLAIN_PATH && /^[\x20-\x7e]*$/.test(path)) return block(path, { sizeBytes, mode, type: '0' });
  const record = paxRecord('path', path);
  return Buffer.concat([
    block('pax-header', { sizeBytes: record.length, mode: 0o644, type: 'x' }),
    record,
    tarPadding(record.length),
    block('path-in-pax-header', { sizeBytes, mode, type: '0' }),
  ]);
}

/** What follows the content of a file, up to the next block. */
export const tarPadding = (sizeBytes: number): Buffer => Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK);

/** The end of an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * BLOCK);

export function tarSize(entries: readonly TarEntry[]): number {
  const sizes = entries.map((entry) => tarHeader(entry).length + entry.sizeBytes + tarPadding(entry.sizeBytes).length);
  return sizes.reduce((sum, size) => sum + size, tarEnd.length);
}

function block(name: string, { sizeBytes, mode, type }: { sizeBytes: number; mode: number; type: string }): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 'ascii');
  header.write(octal(mode, 7), 100, 'ascii');
  header.write(octal(0, 7), 108, 'ascii');
  header.write(octal(0, 7), 116, 'ascii');
  header.write(octal(sizeBytes, 11), 124, 'ascii');
  header.write(octal(0, 11), 136, 'ascii');
  // The checksum counts itself as spaces.
  header.fill(' ', 148, 156);
  header.write(type, 156, 'ascii');
  header.write('ustar\u000000', 257, 'ascii');
  const sum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${octal(sum, 6)}\u0000 `, 148, 'ascii');
  return header;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');

/** `LENGTH KEY=VALUE`, of which the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
