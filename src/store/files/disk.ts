/**
 * Files in a folder.
 *
 * A file is written as a `.part` next to its path, synced, and moved there when it is complete. An
 * upload that breaks off with its process leaves a `.part`, which is swept.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, constants, createReadStream, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { copyFile, type FileHandle, link, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { entryPoint } from '../../installation.ts';
import { makeFolder, syncFolder } from './durable.ts';
import {
  type BlockingFile,
  type ByteRange,
  type FileKey,
  FileMissing,
  type FileStore,
  type OpenFile,
  type ReceivedFile,
  RemovedMeanwhile,
  type SharedFile,
  type StoredFile,
  TooManyBytes,
} from './file-store.ts';

const PART = '.part';

export class DiskFiles implements FileStore {
  readonly #folder: string;
  /** Shards that exist durably. */
  readonly #shards = new Set<string>();
  /** Parts that this process is writing, or that wait for their row. */
  readonly #coming = new Set<string>();

  /** The folder is created with the first file. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async receive(id: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, atMost: number): Promise<ReceivedFile> {
    const part = this.#partOf(id);
    const drop = async () => {
      await rm(part, { force: true });
      this.#coming.delete(part);
    };
    this.#coming.add(part);
    this.#makeShard(dirname(part));
    const handle = await open(part, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      const file = await writeAll(bytes, handle, atMost);
      await handle.sync();
      await handle.close();
      return { file, drop, keep: () => this.#keep(part, { id, sha256: file.sha256 }).finally(() => this.#coming.delete(part)) };
    } catch (error) {
      await handle.close().catch(() => {});
      await drop();
      throw error;
    }
  }

  async *read(key: FileKey, range?: ByteRange): AsyncGenerator<Buffer> {
    try {
      yield* createReadStream(this.#pathOf(key), range);
    } catch (error) {
      throw orMissing(error);
    }
  }

  async open(key: FileKey): Promise<OpenFile> {
    const file = await open(this.#pathOf(key)).catch((error: unknown) => {
      throw orMissing(error);
    });
    return {
      async read(position, length) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
        return buffer.subarray(0, bytesRead);
      },
      close: () => file.close(),
    };
  }

  share(key: FileKey): SharedFile {
    return shareOnDisk(this.#pathOf(key));
  }

  async removeFile(key: FileKey): Promise<void> {
    await rm(this.#pathOf(key), { force: true });
  }

  async remove(id: string): Promise<void> {
    const folder = join(this.#folder, shardOf(id));
    const names = await readdir(folder).catch(() => []);
    for (const name of names) if (name.startsWith(`${id}-`)) await rm(join(folder, name), { force: true });
  }

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

  /**
   * Copies a file from another folder. Returns whether it exists. With `isLinked` it becomes a hard
   * link if the file system allows it, which costs neither time nor space. The copy is durable once
   * `syncNames` has returned.
   */
  async copyFrom(source: DiskFiles, key: FileKey, isLinked: boolean): Promise<boolean> {
    const target = this.#pathOf(key);
    this.#makeShard(dirname(target));
    try {
      if (!isLinked || !(await linked(source.#pathOf(key), target))) await this.#copy(source.#pathOf(key), key);
      return true;
    } catch (error) {
      if (isNotThere(error)) return false;
      throw error;
    }
  }

  /** Makes all names in the folder durable. */
  syncNames(): void {
    for (const shard of readdirSync(this.#folder)) syncFolder(join(this.#folder, shard));
    syncFolder(this.#folder);
  }

  async #copy(path: string, key: FileKey): Promise<void> {
    const part = this.#partOf(key.id);
    try {
      await copyFile(path, part, constants.COPYFILE_FICLONE);
      const handle = await open(part, 'r+');
      try {
        await handle.chmod(0o600);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(part, this.#pathOf(key));
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }

  /**
   * Runs once in a process for each of 1,024, so it may block. A process that created a shard may
   * have died before it synced it.
   */
  #makeShard(path: string): void {
    if (this.#shards.has(path)) return;
    makeFolder(path);
    syncFolder(this.#folder);
    this.#shards.add(path);
  }

  async #keep(part: string, key: FileKey): Promise<void> {
    const path = this.#pathOf(key);
    await rename(part, path).catch((error: unknown) => {
      throw isNotThere(error) ? new RemovedMeanwhile() : error;
    });
    // The name is durable only when its folder is synced.
    const folder = await open(dirname(path), constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  #partOf(id: string): string {
    return join(this.#folder, shardOf(id), `${id}-${randomUUID()}${PART}`);
  }

  #pathOf({ id, sha256 }: FileKey): string {
    return join(this.#folder, shardOf(id), `${id}-${sha256}`);
  }
}

/** The result of `DiskFiles.share`. */
export const shareOnDisk = (path: string): SharedFile => ({ module: entryPoint('store/files/disk').href, where: path });

/**
 * Opens the result of `DiskFiles.share`. @public `openShared` imports it by the address of this
 * module.
 */
export async function openHere(where: unknown): Promise<BlockingFile> {
  return openOnDisk(String(where));
}

/** Throws FileMissing. */
export function openOnDisk(path: string): BlockingFile {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw orMissing(error);
  }
  return {
    sizeBytes: fstatSync(file).size,
    read(position, bytes) {
      let filled = 0;
      while (filled < bytes.length) {
        const count = readSync(file, bytes, filled, bytes.length - filled, position + filled);
        if (count === 0) break;
        filled += count;
      }
      return filled;
    },
    close: () => closeSync(file),
  };
}

/** The last characters of an id are random: they spread the files over 1,024 folders. */
const shardOf = (id: string) => id.slice(-2);

/** Links the target to the source. Returns false on another file system, or one without links. */
async function linked(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch (error) {
    if (isNotThere(error)) throw error;
    return false;
  }
}

const isNotThere = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
const orMissing = (error: unknown): unknown => (isNotThere(error) ? new FileMissing('The file is not in the folder.') : error);

async function writeAll(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, handle: FileHandle, atMost: number): Promise<StoredFile> {
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
