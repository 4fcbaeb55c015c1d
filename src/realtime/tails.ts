/**
 * Shares the reading of a stream among all who watch it. A new row wakes every subscriber; the first to look reads, and who stands at the same
 * place gets the result of that read: the very same frame, so that its execution and its text can be shared as well.
 */
import type { Waker } from '../domain/waker.ts';
import type { Topic } from '../store/store.ts';

/** Who is at the front, and who is catching up behind: more places than that are read without being kept. */
const PLACES_KEPT = 2;

class Tail {
  watchers = 0;
  readonly #reads = new Map<string, Promise<unknown>>();
  readonly #stopListening: () => void;

  constructor(wakeups: Waker, topics: readonly Topic[]) {
    // Registered before any subscriber's own: what was read before a commit is gone when the subscribers it wakes come to look.
    this.#stopListening = wakeups.on(topics, () => this.#reads.clear());
  }

  read<T>(place: string, read: () => Promise<T>): Promise<T> {
    const known = this.#reads.get(place);
    if (known) return known as Promise<T>; // a place is read in one way
    const result = read();
    this.#reads.set(place, result);
    result.catch(() => this.#reads.delete(place));
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

const tails = new WeakMap<Waker, Map<string, Tail>>();

export interface Shared {
  read<T>(place: string, read: () => Promise<T>): Promise<T>;
  /** To be called once, when the subscriber goes. */
  leave(): void;
}

/** Joins those who watch this stream; `name` names all that decides what is read. */
export function watch(wakeups: Waker, name: string, topics: readonly Topic[]): Shared {
  const all = tails.get(wakeups) ?? new Map<string, Tail>();
  tails.set(wakeups, all);
  const tail = all.get(name) ?? new Tail(wakeups, topics);
  all.set(name, tail);
  tail.watchers++;
  return {
    read: (place, read) => tail.read(place, read),
    leave() {
      if (--tail.watchers > 0) return;
      tail.end();
      all.delete(name);
    },
  };
}
