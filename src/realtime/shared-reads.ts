/**
 * Shares the reading of a stream among all who watch it. A new row wakes every subscriber; the first to look reads, and who stands at the same
 * place gets the result of that read: the very same frame, so that its execution and its text can be shared as well.
 */
import type { Clock } from '../domain/core/clock.ts';
import type { Waker } from '../domain/core/waker.ts';
import type { Topic } from '../store/store.ts';

/** Who is at the front, and who is catching up behind: more places than that are read without being shared. */
const PLACES_KEPT = 2;
/** What was read is good for this long: whoever looks because a wake-up may have got lost is not answered from before it. */
const READ_KEPT_MS = 1_000;

/**
 * One read. Once it is done it is kept only as long as one of those who got it needs it: what was read for ten thousand streams that have gone quiet
 * would else stay in memory with them.
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
    // Registered before any subscriber's own: what was read before a commit is gone when the subscribers it wakes come to look.
    this.#stopListening = wakeups.on(topics, () => this.#reads.clear());
  }

  read<T>(place: string, read: () => Promise<T>): Promise<T> {
    const at = this.#clock.elapsed();
    const known = this.#reads.get(place);
    // A clock that went back makes an age below none: read again.
    if (known && at >= known.at && at - known.at < READ_KEPT_MS) {
      const result = known.result instanceof WeakRef ? known.result.deref() : known.result;
      if (result) return Promise.resolve(result) as Promise<T>; // a place is read in one way
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
      if (this.#reads.size <= PLACES_KEPT) break;
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
  /** To be called once, when the subscriber goes. */
  leave(): void;
}

/** Joins those who watch this stream; `name` names all that decides what is read. */
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
