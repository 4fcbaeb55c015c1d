/**
 * Unpacks an archive of code. Anyone who may create a job chose its bytes, so nothing in it is
 * believed: it may hold plain files and folders, in ustar or pax, and anything else is refused. No
 * bytes are made that were not in the archive, because it is not compressed.
 *
 * Not the package `tar` or `tar-stream`: both unpack links, devices and other dialects, which would
 * each have to be turned off, and neither refuses names that differ only by case.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { quoteName } from '../../text/acceptable.ts';
import { pathKeyOf, problemOfPath } from '../../text/archive-paths.ts';

const BLOCK = 512;
const CHUNK = 256 * 1024;
/** Of an extended header: a path, and a few fields that are not used. */
const MOST_PAX_BYTES = 16 * 1024;
const MOST_ENTRIES = 100_000;

/** The archive is refused. The message is a sentence. */
export class BadArchive extends Error {
  override readonly name = 'BadArchive';
}

interface Entry {
  readonly path: string;
  readonly isFolder: boolean;
  readonly isExecutable: boolean;
  readonly position: number;
  readonly sizeBytes: number;
}

/**
 * Unpacks into a folder that nobody else writes to, and that has none of the archive's files yet.
 * Throws BadArchive.
 */
export async function unpack(archive: FileHandle, folder: string, signal: AbortSignal): Promise<void> {
  const places = new Places();
  for await (const entry of entriesOf(archive)) {
    signal.throwIfAborted();
    for (const parent of places.add(entry)) await mkdir(join(folder, parent), { mode: 0o755 });
    if (!entry.isFolder) await writeEntry(archive, entry, join(folder, entry.path));
  }
}

async function writeEntry(archive: FileHandle, { position, sizeBytes, isExecutable }: Entry, path: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for (let done = 0; done < sizeBytes; ) {
      const bytes = await readAt(archive, position + done, Math.min(CHUNK, sizeBytes - done));
      await file.appendFile(bytes);
      done += bytes.length;
    }
    // Whatever the umask is: the step may run as another user.
    await file.chmod(isExecutable ? 0o755 : 0o644);
  } finally {
    await file.close();
  }
}

/** The files and folders so far. One path is one thing, also where case makes no difference. */
class Places {
  /** By key: the path as it was first written, and whether it is a folder. */
  readonly #known = new Map<string, { readonly path: string; readonly isFolder: boolean }>();

  /** Adds an entry. Returns the folders to make first, in order. */
  add({ path, isFolder }: Entry): string[] {
    const problem = problemOfPath(path);
    if (problem !== null) throw new BadArchive(`The file ${quoteName(path)} ${problem}.`);
    const folders = isFolder ? [path] : [];
    for (let at = dirname(path); at !== '.'; at = dirname(at)) folders.unshift(at);
    const made = folders.filter((folder) => this.#addOne(folder, true));
    if (!isFolder && !this.#addOne(path, false)) throw new BadArchive(`The file ${quoteName(path)} comes twice.`);
    return made;
  }

  /** Whether it is new. */
  #addOne(path: string, isFolder: boolean): boolean {
    const key = pathKeyOf(path);
    const known = this.#known.get(key);
    if (!known) {
      if (this.#known.size === MOST_ENTRIES) throw new BadArchive(`It has more than ${MOST_ENTRIES} files and folders.`);
      this.#known.set(key, { path, isFolder });
      return true;
    }
    if (known.path !== path) throw new BadArchive(`The paths ${quoteName(known.path)} and ${quoteName(path)} differ only by case.`);
    if (known.isFolder !== isFolder) throw new BadArchive(`The path ${quoteName(path)} is both a file and a folder.`);
    return false;
  }
}

async function* entriesOf(archive: FileHandle): AsyncGenerator<Entry> {
  const { size } = await archive.stat();
  let longPath: string | null = null;
  for (let position = 0; ; ) {
    if (position + BLOCK > size) throw new BadArchive('It has no end: a part of it is missing.');
    const header = await readAt(archive, position, BLOCK);
    position += BLOCK;
    if (isEmpty(header)) break;
    const { name, mode, sizeBytes, type } = parseHeader(header);
    if (position + sizeBytes > size) throw new BadArchive(`The file ${quoteName(name)} is longer than the archive.`);
    if (type === 'x' || type === 'g') {
      if (sizeBytes > MOST_PAX_BYTES) throw new BadArchive('An extended header is too long.');
      const path = pathIn(await readAt(archive, position, sizeBytes));
      if (path !== null && type === 'g') throw new BadArchive('A header gives several files one path.');
      if (type === 'x') longPath = path;
    } else {
      const path = (longPath ?? name).replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
      longPath = null;
      const isFolder = type === '5';
      if (!isFolder && type !== '0') throw new BadArchive(`${quoteName(path)} is ${kinds[type] ?? 'of a kind that is not known'}.`);
      // `tar -C folder .` begins with the folder itself.
      const isTop = isFolder && (path === '' || path === '.');
      if (!isTop) yield { path, isFolder, isExecutable: (mode & 0o100) !== 0, position, sizeBytes };
    }
    position += Math.ceil(sizeBytes / BLOCK) * BLOCK;
  }
}

const kinds: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a named pipe',
};

interface Header {
  readonly name: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly type: string;
}

function parseHeader(header: Buffer): Header {
  if (header.toString('latin1', 257, 265) !== 'ustar\u000000') throw new BadArchive('It is not a tar archive in the format ustar or pax.');
  const sum = header.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  if (numberIn(header, 148, 8) !== sum) throw new BadArchive('A header is damaged: its checksum is wrong.');
  const prefix = textIn(header, 345, 155);
  const type = textIn(header, 156, 1) || '0';
  const sizeBytes = numberIn(header, 124, 12);
  if (type === '5' && sizeBytes !== 0) throw new BadArchive('A folder has content.');
  return { name: `${prefix === '' ? '' : `${prefix}/`}${textIn(header, 0, 100)}`, mode: numberIn(header, 100, 8), sizeBytes, type };
}

/** An octal number, ended by a space or NUL. */
function numberIn(header: Buffer, start: number, length: number): number {
  const text = header.toString('latin1', start, start + length);
  const digits = /^ *([0-7]+)[ \0]*$/.exec(text)?.[1];
  if (digits === undefined) throw new BadArchive('A header is damaged: it has no valid number.');
  return Number.parseInt(digits, 8);
}

function textIn(bytes: Buffer, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return decode(end < 0 ? field : field.subarray(0, end));
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new BadArchive('A path is not UTF-8.');
  }
}

/** The path in an extended header, if it has one. Other fields say nothing about the content. */
function pathIn(records: Buffer): string | null {
  let path: string | null = null;
  for (let start = 0; start < records.length; ) {
    const length = Number(/^[1-9]\d{0,5} /.exec(records.toString('latin1', start, start + 7))?.[0]);
    const record = records.subarray(start, start + length);
    if (!(length > 0) || record.length !== length || record.at(-1) !== 0x0a) throw new BadArchive('An extended header is damaged.');
    const [, key = '', value = ''] = /^\d+ ([^=]*)=(.*)\n$/s.exec(decode(record)) ?? [];
    if (key === 'path') path = value;
    else if (key === 'size' || key === 'linkpath' || key.startsWith('GNU.sparse'))
      throw new BadArchive(`An extended header has ${quoteName(key)}.`);
    start += length;
  }
  return path;
}

const isEmpty = (block: Buffer): boolean => block.every((byte) => byte === 0);

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw new BadArchive('It has no end: a part of it is missing.');
    done += bytesRead;
  }
  return buffer;
}
