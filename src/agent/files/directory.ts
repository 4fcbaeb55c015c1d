/**
 * What is below a step's folder, opened through descriptors: the step may have put anything there, under any name, and may be changing it meanwhile.
 *
 * No link is followed at any component, and nothing but a plain file with one name is read. On Linux an entry is first opened with O_PATH, which reads nothing,
 * waits for nobody and wakes no device; what that descriptor says it is, is what is opened then: `/proc/self/fd/N` is that very file, whatever stands under
 * its name by now. Elsewhere there is no openat for Node: the name is looked at before and after it is opened, and must be the same file.
 */
import { constants, existsSync, type Stats } from 'node:fs';
import { chmod, type FileHandle, lstat, open, opendir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** An entry that is there, and is not what was to be opened. The message completes "<name> …". */
export class NotPlain extends Error {
  override readonly name = 'NotPlain';
}

/** The same on every architecture that Node runs on with Linux; Node has no name for it. */
const O_PATH = 0o10000000;
/** macOS follows no link at any component, with this one. */
const O_NOFOLLOW_ANY = process.platform === 'darwin' ? 0x20000000 : 0;
const hasDescriptorPaths = process.platform === 'linux' && existsSync('/proc/self/fd');

const byPath = constants.O_NOFOLLOW | constants.O_NONBLOCK | O_NOFOLLOW_ANY;

export class Directory {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #parent: Directory | null;
  readonly #byDescriptor: boolean;

  private constructor(handle: FileHandle, path: string, parent: Directory | null, byDescriptor: boolean) {
    this.#handle = handle;
    this.#path = path;
    this.#parent = parent;
    this.#byDescriptor = byDescriptor;
  }

  /** A folder that the agent itself has made, at a path that is its own. `byDescriptor` is false where the system has no paths of descriptors. */
  static async open(path: string, byDescriptor = hasDescriptorPaths): Promise<Directory> {
    const how = byDescriptor ? O_PATH : constants.O_RDONLY;
    return new Directory(await open(path, how | constants.O_DIRECTORY | constants.O_NOFOLLOW), path, null, byDescriptor);
  }

  /** A folder in it, or null when there is none of this name. Rejects with NotPlain for anything else. */
  async directory(name: string | Buffer): Promise<Directory | null> {
    const opened = await this.#open(name, ({ isFolder, what }) => (isFolder ? null : what));
    return opened && this.#below(name, opened.handle);
  }

  /** A plain file in it, to read, or null when there is none of this name. Rejects with NotPlain for anything else. */
  async file(name: string | Buffer): Promise<FileHandle | null> {
    const opened = await this.#open(name, ({ isFolder, what, objection }) => (isFolder ? what : objection));
    return opened?.handle ?? null;
  }

  /** A folder or a plain file in it, or null when there is nothing of this name. Rejects with NotPlain for anything else. */
  async entry(name: string | Buffer): Promise<Directory | FileHandle | null> {
    const opened = await this.#open(name, ({ objection }) => objection);
    return opened && (opened.isFolder ? this.#below(name, opened.handle) : opened.handle);
  }

  #below(name: string | Buffer, handle: FileHandle): Directory {
    return new Directory(handle, join(this.#path, String(name)), this, this.#byDescriptor);
  }

  /** What stands under a name in it, unopened: a link itself, and not what it leads to. Null when there is nothing. */
  look(name: string): Promise<Stats | null> {
    return lstat(this.#pathOf(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
  }

  /** The names in it, as bytes: a name need not be UTF-8. One after the other, since there may be millions. */
  async *names(): AsyncGenerator<Buffer> {
    // Its type does not know that names can be had as bytes; opendir's own checks do.
    const entries = await opendir(this.#address, { encoding: 'buffer' as BufferEncoding });
    for await (const { name } of entries) yield Buffer.from(name);
  }

  /** Which folder it is. */
  stat(): Promise<Stats> {
    return this.#handle.stat();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /**
   * Removes an entry, with all that is in it. Only names are removed, so no link leads anywhere. Resolves with whether it is gone: what another user
   * left in a folder of its own may have to stay.
   */
  remove(name: string | Buffer): Promise<boolean> {
    const gone = this.#byDescriptor
      ? this.#removeAll(Buffer.from(name))
      : rm(join(this.#path, String(name)), { recursive: true, force: true, maxRetries: 3, retryDelay: 100 });
    return gone.then(
      () => true,
      () => false,
    );
  }

  async #removeAll(name: Buffer): Promise<void> {
    const removal: Removal = { base: this, left: [name] };
    for (let next = removal.left.pop(); next !== undefined; next = removal.left.pop()) await this.#removeEntry(next, removal, 0);
  }

  async #removeEntry(name: Buffer, removal: Removal, depth: number): Promise<void> {
    const path = this.#pathOf(name);
    const error = await unlink(path).catch((error: NodeJS.ErrnoException) => error);
    if (!error || error.code === 'ENOENT') return;
    // EPERM is what POSIX says of a folder, EISDIR what Linux says.
    if (error.code !== 'EISDIR' && error.code !== 'EPERM') throw error;
    if (depth === deepest) {
      const above = Buffer.from(`.lifted-${process.pid}-${lifted++}`);
      await rename(path, removal.base.#pathOf(above));
      removal.left.push(above);
      return;
    }
    const folder = await this.directory(name);
    if (folder !== null) await folder.#removeContent(removal, depth + 1);
    await rmdir(path);
  }

  /** Closes it, too. */
  async #removeContent(removal: Removal, depth: number): Promise<void> {
    try {
      // A folder that its owner may not enter. Of another's this fails, and so does what comes next.
      await chmod(this.#address, 0o700).catch(() => {});
      // What is added meanwhile is for the next round; one that removes nothing has thrown.
      for (let isEmpty = false; !isEmpty; ) {
        isEmpty = true;
        for await (const entry of this.names()) {
          isEmpty = false;
          await this.#removeEntry(entry, removal, depth);
        }
      }
    } finally {
      await this.close();
    }
  }

  get #address(): string {
    return this.#byDescriptor ? `/proc/self/fd/${this.#handle.fd}` : this.#path;
  }

  #pathOf(name: string | Buffer): Buffer {
    const bytes = Buffer.from(name);
    if (bytes.includes('/') || ['', '.', '..'].includes(bytes.toString('latin1'))) throw new Error('A name is wanted, and no path.');
    return Buffer.concat([Buffer.from(`${this.#address}/`), bytes]);
  }

  async #open(name: string | Buffer, objectionOf: (seen: Seen) => string | null): Promise<Opened | null> {
    const path = this.#pathOf(name);
    const judge = (stats: Stats) => {
      const seen = see(stats);
      const objection = objectionOf(seen);
      if (objection !== null) throw new NotPlain(objection);
      return seen;
    };
    try {
      return this.#byDescriptor ? await openByDescriptor(path, judge) : await this.#openByPath(path, judge);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
  }

  async #openByPath(path: Buffer, judge: (stats: Stats) => Seen): Promise<Opened> {
    const before = await lstat(path);
    const { isFolder } = judge(before);
    const handle = await open(path, constants.O_RDONLY | byPath | (isFolder ? constants.O_DIRECTORY : 0));
    try {
      const stats = await handle.stat();
      judge(stats);
      if (!isSame(before, stats) || !(await this.#isInPlace())) throw new NotPlain('was changed while it was opened');
      return { handle, isFolder };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Whether this folder and those above it still stand under their names. */
  async #isInPlace(): Promise<boolean> {
    if (this.#parent === null) return true;
    return isSame(await lstat(this.#path), await this.stat()) && this.#parent.#isInPlace();
  }
}

/** Removing a tree: the folder from which it starts, and what of it is left to remove there. */
interface Removal {
  readonly base: Directory;
  readonly left: Buffer[];
}

/** Each level holds a descriptor: what is nested deeper than this is moved to where the removing started, and removed from there. */
const deepest = 32;
let lifted = 0;

interface Opened {
  readonly handle: FileHandle;
  readonly isFolder: boolean;
}

async function openByDescriptor(path: Buffer, judge: (stats: Stats) => Seen): Promise<Opened> {
  const handle = await open(path, O_PATH | constants.O_NOFOLLOW);
  let isFolder = false;
  try {
    ({ isFolder } = judge(await handle.stat()));
    // To go through a folder, and to list it, this is enough.
    if (isFolder) return { handle, isFolder };
    return { handle: await open(`/proc/self/fd/${handle.fd}`, constants.O_RDONLY | constants.O_NONBLOCK), isFolder };
  } finally {
    if (!isFolder) await handle.close();
  }
}

const isSame = (a: Stats, b: Stats) => a.dev === b.dev && a.ino === b.ino;

/** What an entry is. */
interface Seen {
  readonly isFolder: boolean;
  /** Completes "<name> …". */
  readonly what: string;
  /** Why nothing in it is read; null for a folder and a plain file. */
  readonly objection: string | null;
}

function see(stats: Stats): Seen {
  const what = describe(stats);
  const isFolder = stats.isDirectory();
  if (isFolder || (stats.isFile() && stats.nlink === 1)) return { isFolder, what, objection: null };
  // Another name of a file that is not the step's would hand that in. One that the step made under two names it can copy.
  return { isFolder, what, objection: stats.isFile() ? 'has other names (it is a hard link)' : what };
}

function describe(stats: Stats): string {
  if (stats.isSymbolicLink()) return 'is a symbolic link';
  if (stats.isFIFO()) return 'is a named pipe';
  if (stats.isSocket()) return 'is a socket';
  if (stats.isDirectory()) return 'is a folder';
  return stats.isFile() ? 'is a file' : 'is a device';
}
