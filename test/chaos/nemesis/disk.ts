/**
 * The strictest disk that POSIX allows: written bytes survive a power loss only if the file was
 * synced afterwards, and a name only if its folder was. Real kernels and file systems usually keep
 * more.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Change } from './trace.ts';

/**
 * What happens to unsynced changes: `all` are lost, or each sector and each name is lost by chance.
 */
export type Loss = 'all' | ((chance: number) => boolean);

/** What a device writes atomically. */
const SECTOR = 512;

type FileChange =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'truncate'; readonly size: number };

/** A buffer that grows at a cost that does not depend on its size. */
class Bytes {
  #buffer: Buffer;
  #length: number;

  constructor(from: Buffer) {
    this.#buffer = Buffer.from(from);
    this.#length = from.length;
  }

  take(change: FileChange, isKept: () => boolean): void {
    if (change.kind === 'truncate') {
      if (isKept()) this.#resize(change.size);
      return;
    }
    const { offset, data } = change;
    for (let start = offset; start < offset + data.length; ) {
      const end = Math.min(offset + data.length, (Math.floor(start / SECTOR) + 1) * SECTOR);
      if (isKept()) {
        if (end > this.#length) this.#resize(end);
        data.copy(this.#buffer, start, start - offset, end - offset);
      }
      start = end;
    }
  }

  get content(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #resize(length: number): void {
    if (length > this.#buffer.length)
      this.#buffer = Buffer.concat([this.content, Buffer.alloc(Math.max(length, 2 * this.#length) - this.#length)]);
    else if (length < this.#length) this.#buffer.fill(0, length, this.#length);
    this.#length = length;
  }
}

class File {
  readonly safe: Bytes;
  /** Changes since the last sync. */
  pending: FileChange[] = [];
  constructor(safe: Buffer) {
    this.safe = new Bytes(safe);
  }
}
const folder = Symbol('folder');
type Entry = File | typeof folder;
/** A change of names; null removes a name. */
type Naming = ReadonlyMap<string, Entry | null>;

export class Disk {
  readonly #root: string;
  /** The names that processes see. */
  readonly #names = new Map<string, Entry>();
  /** The names after a power loss. */
  readonly #safeNames = new Map<string, Entry>();
  /** By folder: the changes of its names since its last sync. */
  readonly #namings = new Map<string, Naming[]>();
  readonly #syncing = new Map<number, { readonly entry: Entry; readonly path: string; readonly count: number }>();

  /** The present content of `from` is taken as the synced content of `root`. */
  constructor(root: string, from: string = root) {
    this.#root = root;
    for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
      const source = join(entry.parentPath, entry.name);
      const path = join(root, relative(from, source));
      if (entry.name.endsWith('-shm')) continue;
      this.#names.set(path, entry.isDirectory() ? folder : new File(readFileSync(source)));
    }
    for (const [path, entry] of this.#names) this.#safeNames.set(path, entry);
  }

  take(change: Change): void {
    const { path } = change;
    const entry = path === this.#root ? folder : this.#names.get(path);
    switch (change.kind) {
      case 'create':
        if (!entry) this.#name([[path, new File(Buffer.alloc(0))]]);
        return;
      case 'mkdir':
        this.#name([[path, folder]]);
        return;
      case 'remove':
        if (entry) this.#name([[path, null]]);
        return;
      case 'rename':
        if (entry)
          this.#name([
            [path, null],
            [change.to, entry],
          ]); // prettier-ignore
        return;
      case 'write':
      case 'truncate':
        if (entry instanceof File) entry.pending.push(change);
        return;
      case 'sync begins':
        if (entry) this.#syncing.set(change.id, { entry, path, count: this.#pendingOf(entry, path).length });
        return;
      case 'sync ends':
        this.#sync(change.id, change.isDone);
    }
  }

  /** Writes into a folder what a power loss now would leave. */
  leave(target: string, loss: Loss): void {
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    const names = new Map(this.#safeNames);
    const isKept = typeof loss === 'function' ? () => loss(0.5) : () => false;
    // In their order: a journaling file system does not keep a later change without the earlier
    // ones.
    for (const namings of this.#namings.values())
      for (const naming of namings)
        if (isKept()) apply(names, naming);
        else break; // prettier-ignore
    for (const [path, entry] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const parent = dirname(path);
      if (parent !== this.#root && names.get(parent) !== folder) continue; // lost with its folder
      const place = join(target, relative(this.#root, path));
      if (entry === folder) mkdirSync(place, { recursive: true });
      else writeFileSync(place, this.#left(entry, isKept));
    }
  }

  #left({ safe, pending }: File, isKept: () => boolean): Buffer {
    if (pending.length === 0) return safe.content;
    const left = new Bytes(safe.content);
    for (const change of pending) left.take(change, isKept);
    return left.content;
  }

  #pendingOf(entry: Entry, path: string): readonly unknown[] {
    return entry === folder ? (this.#namings.get(path) ?? []) : entry.pending;
  }

  /**
   * A failed sync marks its pages as clean and loses them, as Linux does: a second sync reports
   * success.
   */
  #sync(id: number, isDone: boolean): void {
    const sync = this.#syncing.get(id);
    if (!sync) return;
    this.#syncing.delete(id);
    const { entry, path, count } = sync;
    if (entry === folder) {
      const namings = this.#namings.get(path) ?? [];
      for (const naming of namings.splice(0, isDone ? count : 0)) apply(this.#safeNames, naming);
    } else {
      const written = entry.pending.splice(0, count);
      if (isDone) for (const change of written) entry.safe.take(change, () => true);
    }
  }

  #name(changed: [string, Entry | null][]): void {
    const naming = new Map(changed);
    apply(this.#names, naming);
    // A move between two folders is durable with the target folder. The product moves within one.
    const parent = dirname(changed.at(-1)?.[0] ?? '');
    this.#namings.set(parent, [...(this.#namings.get(parent) ?? []), naming]);
  }
}

function apply(names: Map<string, Entry>, naming: Naming): void {
  for (const [path, entry] of naming)
    if (entry === null) names.delete(path);
    else names.set(path, entry); // prettier-ignore
}
