/**
 * The bytes of fragments, as files in a folder.
 *
 * A file is written beside its place, synced, and moved there whole; its name holds its SHA-256, so that two uploads of one fragment at once
 * cannot mix: the row in the database says which of them it is. What an upload leaves that broke with its process is a `.part`, and is
 * swept.
 */
import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream, type ReadStream } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder, syncFolder } from './durable.ts';

const PART = '.part';

export interface StoredFile {
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** The upload had more bytes than were allowed or announced. */
export class TooManyBytes extends Error {
  readonly allowed: number;
  /** When it was seen; how many there would have been is not known. */
  readonly received: number;
  constructor(allowed: number, received: number) {
    super(`More than ${allowed} bytes came.`);
    this.allowed = allowed;
    this.received = received;
  }
}

/** While the bytes came, what they were for was removed. */
export class RemovedMeanwhile extends Error {}

export class FileStore {
  readonly #folder: string;
  /** Shards that are known to be there, and durably so. */
  readonly #shards = new Set<string>();
  /** Parts that are written here, or wait for their row. */
  readonly #coming = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
    makeFolder(folder);
  }

  /**
   * Removes what uploads left that broke with their process: of other processes, those to which nothing was written since `before`; null: all, for there
   * are no others. Of uploads that go on here, none.
   */
  async sweep(before: Date | null): Promise<void> {
    for (const shard of await readdir(this.#folder)) {
      const names = await readdir(join(this.#folder, shard)).catch(() => []);
      for (const name of names) {
        const path = join(this.#folder, shard, name);
        if (!name.endsWith(PART) || this.#coming.has(path)) continue;
        const writtenAt = (await stat(path).catch(() => null))?.mtime ?? null;
        if (before === null || (writtenAt !== null && writtenAt < before)) await rm(path, { force: true });
      }
    }
  }

  /** Takes a stream to disk, whole and synced, at constant memory; answers what came. It leaves nothing behind when it fails. */
  async receive(
    id: string,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    atMost: number,
  ): Promise<{ file: StoredFile; keep(): Promise<void>; drop(): Promise<void> }> {
    const part = join(this.#folder, shardOf(id), `${id}-${randomUUID()}${PART}`);
    const drop = async () => {
      await rm(part, { force: true });
      this.#coming.delete(part);
    };
    this.#coming.add(part);
    this.#makeShard(dirname(part));
    const handle = await open(part, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      const file = await copy(bytes, handle, atMost);
      await handle.sync();
      await handle.close();
      return { file, drop, keep: () => this.#place(part, this.#pathOf(id, file.sha256)).finally(() => this.#coming.delete(part)) };
    } catch (error) {
      await handle.close().catch(() => {});
      await drop();
      throw error;
    }
  }

  /** Reads from `start` to `end`, both included. */
  read(id: string, sha256: string, range: { start: number; end: number }): ReadStream {
    return createReadStream(this.#pathOf(id, sha256), range);
  }

  readWhole(id: string, sha256: string): Promise<Buffer> {
    return readFile(this.#pathOf(id, sha256));
  }

  /** Where the bytes are, for what reads them at random. */
  pathOf(id: string, sha256: string): string {
    return this.#pathOf(id, sha256);
  }

  /** Removes these bytes of a fragment, and no others that came for it. */
  async removeBytes(id: string, sha256: string): Promise<void> {
    await rm(this.#pathOf(id, sha256), { force: true });
  }

  /** Removes all that there is of a fragment, what is still coming included. */
  async remove(id: string): Promise<void> {
    const folder = join(this.#folder, shardOf(id));
    const names = await readdir(folder).catch(() => []);
    for (const name of names) if (name.startsWith(`${id}-`)) await rm(join(folder, name), { force: true });
  }

  /** Once in a process for each of 1,024, so it may block. One that is there may be from a process that died before it synced it. */
  #makeShard(path: string): void {
    if (this.#shards.has(path)) return;
    makeFolder(path);
    syncFolder(this.#folder);
    this.#shards.add(path);
  }

  async #place(part: string, path: string): Promise<void> {
    await rename(part, path).catch((error: unknown) => {
      throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? new RemovedMeanwhile() : error; // Node's system errors have a code
    });
    // The name is durable only when its folder is.
    const folder = await open(dirname(path), constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  #pathOf(id: string, sha256: string): string {
    return join(this.#folder, fragmentPath(id, sha256));
  }
}

/** Where the bytes of a fragment are within the folder of all. */
export const fragmentPath = (id: string, sha256: string): string => join(shardOf(id), `${id}-${sha256}`);

/** The last characters of an id are random: they spread the files over 1,024 folders. */
const shardOf = (id: string) => id.slice(-2);

async function copy(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, handle: FileHandle, atMost: number): Promise<StoredFile> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of bytes) {
    sizeBytes += chunk.length;
    if (sizeBytes > atMost) throw new TooManyBytes(atMost, sizeBytes);
    hash.update(chunk);
    await handle.writeFile(chunk);
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}
