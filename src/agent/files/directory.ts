/**
 * Opens what is below a step's folder through descriptors: the step may have put anything there,
 * under any name, and may be changing it at the same time.
 *
 * No component of a path is followed if it is a link, and only a plain file with one name is read.
 * On Linux an entry is first opened with O_PATH, which reads nothing, does not block and wakes no
 * device. Then the file that this descriptor refers to is opened through `/proc/self/fd/N`,
 * whatever stands under its name by now. On other systems Node has no openat: the entry is checked
 * before and after it is opened, and must be the same file.
 */
import { constants, existsSync, type Stats } from 'node:fs';
import { chmod, type FileHandle, lstat, open, opendir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** An entry that exists but is not of the expected kind. The message completes "<name> …". */
export class NotPlain extends Error {
  override readonly name = 'NotPlain';
}

/** The same on every architecture on which Node runs with Linux. Node has no name for it. */
const O_PATH = 0o10000000;
/** With this flag, macOS follows no link at any component. */
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

  /**
   * Opens a folder that the agent itself created. `byDescriptor` is false where the system has no
   * paths of descriptors.
   */
  static async open(path: string, byDescriptor = hasDescriptorPaths): Promise<Directory> {
    const how = byDescriptor ? O_PATH : constants.O_RDONLY;
    return new Directory(await open(path, how | constants.O_DIRECTORY | constants.O_NOFOLLOW), path, null, byDescriptor);
  }

  /** A folder in it, or null if nothing has this name. Rejects with NotPlain for anything else. */
  async directory(name: string | Buffer): Promise<Directory | null> {
    const opened = await this.#open(name, ({ isFolder, what }) => (isFolder ? null : what));
    return opened && this.#below(name, opened.handle);
  }

  /**
   * A plain file in it, open for reading, or null if nothing has this name. Rejects with NotPlain
   * for anything else.
   */
  async file(name: string | Buffer): Promise<FileHandle | null> {
    const opened = await this.#open(name, ({ isFolder, what, objection }) => (isFolder ? what : objection));
    return opened?.handle ?? null;
  }

  /**
   * A folder or a plain file in it, or null if nothing has this name. Rejects with NotPlain for
   * anything else.
   */
  async entry(name: string | Buffer): Promise<Directory | FileHandle | null> {
    const opened = await this.#open(name, ({ objection }) => objection);
    return opened && (opened.isFolder ? this.#below(name, opened.handle) : opened.handle);
  }

  #below(name: string | Buffer, handle: FileHandle): Directory {
    return new Directory(handle, join(this.#path, String(name)), this, this.#byDescriptor);
  }

  /** The stats of an entry, without opening it or following a link. Null if there is none. */
  look(name: string): Promise<Stats | null> {
    return lstat(this.#pathOf(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
  }

  /**
   * The names in it, as bytes, because a name need not be UTF-8. One at a time, because there may
   * be millions.
   */
  async *names(): AsyncGenerator<Buffer> {
    // The type does not allow `buffer`, but opendir does.
    const entries = await opendir(this.#address, { encoding: 'buffer' as BufferEncoding });
    for await (const { name } of entries) yield Buffer.from(name);
  }

  /** The folder's own stats. */
  stat(): Promise<Stats> {
    return this.#handle.stat();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /**
   * Removes an entry with everything in it. Only names are removed, so links lead nowhere. Resolves
   * with whether it is gone: what another user left in a folder of its own may have to stay.
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
    // For a folder POSIX says EPERM, Linux EISDIR.
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

  /** Also closes it. */
  async #removeContent(removal: Removal, depth: number): Promise<void> {
    try {
      // For a folder that its owner may not enter. For another user's folder this fails, and so
      // does what follows.
      await chmod(this.#address, 0o700).catch(() => {});
      // The next round removes what was added meanwhile. A round that removes nothing has thrown.
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
    if (bytes.includes('/') || ['', '.', '..'].includes(bytes.toString('latin1'))) throw new Error('Expected a name, not a path.');
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

  /** Whether this folder and its parents still stand under their names. */
  async #isInPlace(): Promise<boolean> {
    if (this.#parent === null) return true;
    return isSame(await lstat(this.#path), await this.stat()) && this.#parent.#isInPlace();
  }
}

/** The removal of a tree: the folder where it started, and what is left to remove there. */
interface Removal {
  readonly base: Directory;
  readonly left: Buffer[];
}

/**
 * Each level holds a descriptor. What is nested deeper is moved to where the removal started, and
 * removed from there.
 */
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
    // An O_PATH descriptor is enough to list a folder and to open what is in it.
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
  /** Why it is not read. Null for a folder or a plain file. */
  readonly objection: string | null;
}

function see(stats: Stats): Seen {
  const what = describe(stats);
  const isFolder = stats.isDirectory();
  if (isFolder || (stats.isFile() && stats.nlink === 1)) return { isFolder, what, objection: null };
  // A hard link to a file that is not the step's would upload that file. The step can copy a file
  // that it made under two names.
  return { isFolder, what, objection: stats.isFile() ? 'has other names (it is a hard link)' : what };
}

function describe(stats: Stats): string {
  if (stats.isSymbolicLink()) return 'is a symbolic link';
  if (stats.isFIFO()) return 'is a named pipe';
  if (stats.isSocket()) return 'is a socket';
  if (stats.isDirectory()) return 'is a folder';
  return stats.isFile() ? 'is a file' : 'is a device';
}
