/** Reads a record of strace (see `recordInto`) as the sequence of file changes of a process. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * A call that succeeded, or a sync that failed. `at` is its end in milliseconds of the wall clock.
 */
export type Change = { readonly at: number } & (
  | { readonly kind: 'create'; readonly path: string }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'write'; readonly path: string; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'mkdir'; readonly path: string }
  /** What was written before its begin is durable at its end. Both have the same `id`. */
  | { readonly kind: 'sync begins'; readonly path: string; readonly id: number }
  | { readonly kind: 'sync ends'; readonly path: string; readonly id: number; readonly isDone: boolean }
);

interface Call {
  readonly name: string;
  readonly args: string;
  readonly result: string;
  readonly at: number;
}

/** The changes below `root`. */
export async function* readTrace(file: string, root: string): AsyncGenerator<Change> {
  const reader = new TraceReader(root);
  for await (const line of createInterface({ input: createReadStream(file, 'latin1'), crlfDelay: Number.POSITIVE_INFINITY })) {
    yield* reader.take(line);
  }
}

const LINE = /^(\d+) +(\d+\.\d+) ([\s\S]*)$/;
const WHOLE = /^(\w+)\(([\s\S]*)\) += (-?\d+[\s\S]*?)(?: <(\d+\.\d+)>)?$/;

class TraceReader {
  readonly #root: string;
  /** By thread: the beginning of its pending call. */
  readonly #unfinished = new Map<string, { readonly text: string; readonly id: number }>();
  /** By descriptor: the offset of the next `write`. */
  readonly #offsets = new Map<string, number>();
  readonly #known = new Set<string>();
  #syncs = 0;

  constructor(root: string) {
    this.#root = root;
  }

  *take(line: string): Generator<Change> {
    const [, thread = '', time = '', said = ''] = LINE.exec(line) ?? [];
    if (thread === '') return;
    const begun = / <unfinished \.\.\.>$/.exec(said);
    if (begun) {
      const text = said.slice(0, begun.index);
      const id = this.#syncs++;
      this.#unfinished.set(thread, { text, id });
      if (isSync(text)) yield* this.#syncBegins(text.slice(text.indexOf('(') + 1), id, Number(time) * 1_000);
      return;
    }
    const resumed = /^<\.\.\. \w+ resumed>([\s\S]*)$/.exec(said);
    const before = resumed ? this.#unfinished.get(thread) : undefined;
    if (resumed && !before) return;
    this.#unfinished.delete(thread);
    const [, name = '', args = '', result = '', spent = '0'] = WHOLE.exec(before ? before.text + (resumed?.[1] ?? '') : said) ?? [];
    if (name === '') return;
    // The time of a resumed line is that of resuming; the time of a whole line is the begin of the
    // call.
    const call = { name, args, result, at: (Number(time) + (before ? 0 : Number(spent))) * 1_000 };
    if (!isSync(`${name}(`)) return yield* this.#changesOf(call);
    const id = before?.id ?? this.#syncs++;
    if (!before) yield* this.#syncBegins(args, id, Number(time) * 1_000);
    const path = this.#pathOfDescriptor(args);
    if (path !== null) yield { kind: 'sync ends', path, id, isDone: result.startsWith('0'), at: call.at };
  }

  *#syncBegins(args: string, id: number, at: number): Generator<Change> {
    const path = this.#pathOfDescriptor(args);
    if (path !== null) yield { kind: 'sync begins', path, id, at };
  }

  *#changesOf({ name, args, result, at }: Call): Generator<Change> {
    const value = Number(/^-?\d+/.exec(result)?.[0]);
    if (!(value >= 0)) return;
    const named = pathsIn(args);
    const [first = '', second = ''] = named;
    const isOurs = this.#isOurs(first);
    switch (name) {
      case 'openat': {
        if (!isOurs) return;
        this.#offsets.set(String(value), args.includes('O_APPEND') ? Number.NaN : 0);
        if (args.includes('O_CREAT') && !this.#known.has(first)) yield { kind: 'create', path: first, at };
        else if (args.includes('O_TRUNC')) yield { kind: 'truncate', path: first, size: 0, at };
        this.#known.add(first);
        return;
      }
      case 'pwrite64':
      case 'write': {
        const path = this.#pathOfDescriptor(args);
        if (path === null) return;
        const [, text = ''] = /^\d+<[^>]*>, "([^"]*)"/.exec(args) ?? [];
        const data = bytesOf(text).subarray(0, value);
        if (data.length < value) throw new Error(`The trace has ${data.length} of ${value} bytes of a write to ${path}.`);
        yield { kind: 'write', path, offset: name === 'write' ? this.#advance(args, value) : Number(/(\d+)$/.exec(args)?.[1]), data, at };
        return;
      }
      case 'ftruncate': {
        const path = this.#pathOfDescriptor(args);
        if (path !== null) yield { kind: 'truncate', path, size: Number(/(\d+)$/.exec(args)?.[1]), at };
        return;
      }
      case 'rename':
        if (!isOurs) return;
        this.#known.delete(first);
        this.#known.add(second);
        yield { kind: 'rename', path: first, to: second, at };
        return;
      case 'unlink':
      case 'unlinkat':
      case 'rmdir':
        this.#known.delete(first);
        if (isOurs) yield { kind: 'remove', path: first, at };
        return;
      case 'mkdir':
        if (isOurs) yield { kind: 'mkdir', path: first, at };
        return;
      default:
        // Ignoring the call would leave a gap in the trace.
        if (isOurs || this.#pathOfDescriptor(args) !== null) throw new Error(`The trace has a call that is not handled: ${name}.`);
    }
  }

  #advance(args: string, by: number): number {
    const descriptor = /^\d+/.exec(args)?.[0] ?? '';
    const offset = this.#offsets.get(descriptor);
    if (offset === undefined || Number.isNaN(offset)) throw new Error('This trace has a write to a place that is not known.');
    this.#offsets.set(descriptor, offset + by);
    return offset;
  }

  #pathOfDescriptor(args: string): string | null {
    const [, text = '', isGone] = /^\d+<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?/.exec(args) ?? [];
    const path = bytesOf(text).toString();
    return !isGone && this.#isOurs(path) ? path : null;
  }

  #isOurs(path: string): boolean {
    // The index of the WAL is shared memory, and is rebuilt after a crash.
    return (path === this.#root || path.startsWith(`${this.#root}/`)) && !path.endsWith('-shm');
  }
}

const isSync = (text: string) => /^f(data)?sync\(/.test(text);
const bytesOf = (text: string): Buffer => Buffer.from(text.replaceAll('\\x', ''), 'hex');
const pathsIn = (args: string): string[] =>
  [...args.matchAll(/"((?:\\x[0-9a-f]{2})+)"/g)].slice(0, 2).map(([, text = '']) => bytesOf(text).toString());
