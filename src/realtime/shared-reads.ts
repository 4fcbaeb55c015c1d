/**
 * Shares the reads of a stream among its subscribers. A new row wakes all of them. The first one to
 * look reads, and the others at the same position get the same frame object, so that its execution
 * and its serialized text are shared as well.
 */
import type { Clock } from '../domain/core/clock.ts';
import type { Waker } from '../domain/core/waker.ts';
import type { Topic } from '../store/store.ts';

/**
 * Positions with shared reads: the front of the stream, and one that is catching up. Reads at other
 * positions are not shared.
 */
const POSITIONS_KEPT = 2;
/**
 * How long a read is reused. A subscriber that looks because a wake-up may have been lost must not
 * get a result from before it.
 */
const READ_KEPT_MS = 1_000;

/**
 * One read. After it is done, it is kept only while a subscriber that got it needs it. Otherwise
 * the last frames of ten thousand quiet streams would stay in memory.
 */
interface Read {
  readonly at: number;
  result: Promise<unknown> | WeakRef<object>;
}

class SharedReads {
  watchers = 0;
  readonly #clock: Clock;
  readonly #reads = new Map<string, Read>();
  readonly #stopListening: () => void;

  constructor(wakeups: Waker, clock: Clock, topics: readonly Topic[]) {
    this.#clock = clock;
    // Registered before any subscriber: a commit clears the reads before the subscribers it wakes
    // look.
    this.#stopListening = wakeups.on(topics, () => this.#reads.clear());
  }

  read<T>(place: string, read: () => Promise<T>): Promise<T> {
    const at = this.#clock.elapsed();
    const known = this.#reads.get(place);
    // After a step back of the clock, the age would be negative: read again.
    if (known && at >= known.at && at - known.at < READ_KEPT_MS) {
      const result = known.result instanceof WeakRef ? known.result.deref() : known.result;
      if (result) return Promise.resolve(result) as Promise<T>; // reads at one position have one type
    }
    const result = read();
    const kept: Read = { at, result };
    this.#reads.delete(place);
    this.#reads.set(place, kept);
    const forget = () => {
      if (this.#reads.get(place) === kept) this.#reads.delete(place);
    };
    result.then((found) => {
      if (typeof found === 'object' && found !== null) kept.result = new WeakRef(found);
      else forget();
    }, forget);
    for (const oldest of this.#reads.keys()) {
      if (this.#reads.size <= POSITIONS_KEPT) break;
      this.#reads.delete(oldest);
    }
    return result;
  }

  end(): void {
    this.#stopListening();
    this.#reads.clear();
  }
}

const sharedReads = new WeakMap<Waker, Map<string, SharedReads>>();

export interface Shared {
  read<T>(place: string, read: () => Promise<T>): Promise<T>;
  /** Call this once when the subscriber leaves. */
  leave(): void;
}

/** Joins the subscribers of this stream. `name` identifies everything that decides what is read. */
export function watch(wakeups: Waker, clock: Clock, name: string, topics: readonly Topic[]): Shared {
  const all = sharedReads.get(wakeups) ?? new Map<string, SharedReads>();
  sharedReads.set(wakeups, all);
  const reads = all.get(name) ?? new SharedReads(wakeups, clock, topics);
  all.set(name, reads);
  reads.watchers++;
  return {
    read: (place, read) => reads.read(place, read),
    leave() {
      if (--reads.watchers > 0) return;
      reads.end();
      all.delete(name);
    },
  };
}
