/**
 * A disk as strictly as POSIX lets it be: what was written is there after a power loss only if the file was synced after it, and a name only if its
 * folder was. Kernels and file systems keep more than that, most of the time.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Change } from './trace.ts';

/** What becomes of that which was not synced: `all` of it is lost, or for each sector and each name a coin is tossed. */
export type Loss = 'all' | ((chance: number) => boolean);

/** What a device writes as one. */
const SECTOR = 512;

type FileChange =
  | { readonly kind: 'write'; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'truncate'; readonly size: number };

/** Grows as it is written to, at a cost that does not grow with it. */
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
  /** What was written since it was synced. */
  pending: FileChange[] = [];
  constructor(safe: Buffer) {
    this.safe = new Bytes(safe);
  }
}
const folder = Symbol('folder');
type Entry = File | typeof folder;
/** A change of names: null is that there is none any more. */
type Naming = ReadonlyMap<string, Entry | null>;

export class Disk {
  readonly #root: string;
  /** As processes see them. */
  readonly #names = new Map<string, Entry>();
  /** As they are after a power loss. */
  readonly #safeNames = new Map<string, Entry>();
  /** By folder: what was done to its names since it was synced. */
  readonly #namings = new Map<string, Naming[]>();
  readonly #syncing = new Map<number, { readonly entry: Entry; readonly path: string; readonly count: number }>();

  /** What is in `from` now is taken as what was in `root`, all of it synced. */
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

  /** Writes what a power loss now would leave into a folder. */
  leave(target: string, loss: Loss): void {
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    const names = new Map(this.#safeNames);
    const isKept = typeof loss === 'function' ? () => loss(0.5) : () => false;
    // In the order in which they were done: a file system that keeps a journal does not keep a later one without the earlier.
    for (const namings of this.#namings.values())
      for (const naming of namings)
        if (isKept()) apply(names, naming);
        else break; // prettier-ignore
    for (const [path, entry] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const parent = dirname(path);
      if (parent !== this.#root && names.get(parent) !== folder) continue; // its folder is lost, and it with it
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

  /** A sync that failed leaves what it was to write marked as written, and lost: so Linux does it, whoever asks again is told that all is well. */
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
    // A move between two folders is durable with the one that it goes to; the product moves within one.
    const parent = dirname(changed.at(-1)?.[0] ?? '');
    this.#namings.set(parent, [...(this.#namings.get(parent) ?? []), naming]);
  }
}

function apply(names: Map<string, Entry>, naming: Naming): void {
  for (const [path, entry] of naming)
    if (entry === null) names.delete(path);
    else names.set(path, entry); // prettier-ignore
}
