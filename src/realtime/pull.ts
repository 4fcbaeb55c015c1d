/**
 * The iterator behind every subscription: nothing is pushed into it. It holds a wake-up bit; asked for the next value it looks, and waits to be
 * woken when there is nothing. So a slow consumer costs nothing while it is slow, and then gets all that came meanwhile in one value.
 *
 * Written by hand: an async generator that waits inside cannot be ended, and leaks.
 */
import type { Clock } from '../domain/clock.ts';
import type { Waker } from '../domain/waker.ts';
import type { Topic } from '../store/store.ts';
import { noteNews } from './news.ts';

/** A wake-up that got lost costs this much delay, and no more. */
const SAFETY_POLL_MS = 5_000;

export interface Pull<T> {
  readonly topics: readonly Topic[];
  /** The next value, null when there is none yet, or the end. */
  look(): Promise<{ readonly value: T; readonly isLast?: boolean } | { readonly end: true } | null>;
  /** Called once, when nobody asks any more. */
  end?(): void;
}

type Result<T> = IteratorResult<T, undefined>;

export function pull<T>(wakeups: Waker, clock: Clock, { topics, look, end }: Pull<T>): AsyncIterableIterator<T, undefined> {
  let isEnded = false;
  let isWoken = true;
  let heardAt: number | null = null;
  let wake = () => {};
  let turn: Promise<unknown> = Promise.resolve();
  const stopListening = wakeups.on(topics, () => {
    isWoken = true;
    heardAt ??= performance.now();
    wake();
  });

  const close = () => {
    if (isEnded) return;
    isEnded = true;
    stopListening();
    wake();
    end?.();
  };

  const sleep = () =>
    new Promise<void>((resolve) => {
      const stopTimer = clock.after(SAFETY_POLL_MS, resolve);
      wake = () => {
        stopTimer();
        resolve();
      };
    });

  const next = async (): Promise<Result<T>> => {
    try {
      while (!isEnded) {
        isWoken = false;
        const since = heardAt;
        heardAt = null;
        const found = await look();
        if (isEnded) break;
        if (found && 'end' in found) break;
        if (found) {
          if (since !== null) noteNews(found.value, since);
          if (found.isLast) close();
          return { value: found.value, done: false };
        }
        if (!isWoken) await sleep();
      }
    } catch (error) {
      close();
      throw error;
    }
    close();
    return { value: undefined, done: true };
  };

  return {
    // One at a time: a second call waits for the first, as the protocol of iterators has it.
    next() {
      const result = turn.then(next);
      turn = result.catch(() => {});
      return result;
    },
    async return() {
      close();
      return { value: undefined, done: true };
    },
    async throw(error) {
      close();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
