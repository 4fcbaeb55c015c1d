/**
 * The iterator behind every subscription. Nothing is pushed into it: it only keeps a wake-up bit.
 * When the consumer asks for the next value, it looks, and waits for a wake-up if there is nothing.
 * So a slow consumer costs nothing while it is slow, and then gets everything it missed in one
 * value.
 *
 * Written by hand, because an async generator that waits inside cannot be ended, and leaks.
 */
import type { Clock } from '../domain/core/clock.ts';
import type { Waker } from '../domain/core/waker.ts';
import type { Topic } from '../store/store.ts';
import { noteWakeup } from './wakeup-age.ts';

/** The longest delay after a lost wake-up. */
const SAFETY_POLL_MS = 5_000;

/** The assumed bytes of a look that does not declare them: a job, a number. */
const USUAL_BYTES = 16_384;

export interface Pull<T> {
  readonly topics: readonly Topic[];
  /** The bytes that one look may read. */
  readonly bytes?: number;
  /** Returns the next value, null if there is none yet, or the end. */
  look(): Promise<{ readonly value: T; readonly isLast?: boolean } | { readonly end: true } | null>;
  /**
   * Goes back to before the newest value, to give it in smaller parts. Returns false if it cannot
   * be smaller.
   */
  narrow?(): boolean;
  /** Where the next value begins. Left out by sources that keep more than a position. */
  readonly bookmark?: { get(): Bookmark; goTo(bookmark: Bookmark): void };
  /**
   * Called when the listening begins. Returns the function to call when it ends. Called again if
   * the last value is given in parts.
   */
  join?(): () => void;
}

/**
 * A position to read on from. Sources of one question give the same values from bookmarks with the
 * same name.
 */
export interface Bookmark {
  readonly name: string;
}

/** An iterator that reads only when it is allowed to. */
export interface Pulled<T> extends AsyncIterableIterator<T, undefined> {
  /** Awaited before each look, with the bytes that it may read, until memory is free for it. */
  gate: (bytes: number) => Promise<void>;
  /** Called when a look found nothing, so that the memory is free for others. */
  idle: () => void;
  /** Where the next value begins. Null for a source that keeps more than a position. */
  bookmark(): Bookmark | null;
  /**
   * Reads and hears nothing more, because another source with the same bookmark reads for it. Call
   * it in `idle`.
   */
  rest(): void;
  /** Reads on from a bookmark of a source of the same question. */
  readFrom(bookmark: Bookmark): void;
  /** Whether the newest value was the last. */
  readonly isOver: boolean;
  /**
   * Called after a value that was too large to send: the next value will be a part of it. Returns
   * false if it has no parts.
   */
  narrow(): boolean;
}

type Result<T> = IteratorResult<T, undefined>;

export function pull<T>(wakeups: Waker, clock: Clock, { topics, bytes = USUAL_BYTES, look, narrow, bookmark, join }: Pull<T>): Pulled<T> {
  let isEnded = false;
  let isAtRest = false;
  /** The newest value was the last, unless it is given again in parts. */
  let isOver = false;
  let isWoken = true;
  let heardAt: number | null = null;
  let wake = () => {};
  let turn: Promise<unknown> = Promise.resolve();
  const listen = () => {
    const leave = join?.();
    const stopListening = wakeups.on(topics, () => {
      isWoken = true;
      heardAt ??= performance.now();
      wake();
    });
    return () => {
      stopListening();
      leave?.();
    };
  };
  let stopListening = listen();

  const close = () => {
    if (isEnded) return;
    isEnded = true;
    wake();
    if (!isOver && !isAtRest) stopListening();
  };

  const sleep = () =>
    new Promise<void>((resolve) => {
      const stopTimer = isAtRest ? () => {} : clock.after(SAFETY_POLL_MS, resolve);
      wake = () => {
        stopTimer();
        resolve();
      };
    });

  const next = async (): Promise<Result<T>> => {
    try {
      while (!isEnded && !isOver) {
        await pulled.gate(bytes);
        if (isEnded) break;
        isWoken = false;
        const since = heardAt;
        heardAt = null;
        const found = await look();
        if (isEnded) break;
        if (found && 'end' in found) break;
        if (found) {
          if (since !== null) noteWakeup(found.value, since);
          if (found.isLast) {
            isOver = true;
            stopListening();
          }
          return { value: found.value, done: false };
        }
        pulled.idle();
        if (!isWoken || isAtRest) await sleep();
      }
    } catch (error) {
      close();
      throw error;
    }
    close();
    return { value: undefined, done: true };
  };

  const pulled: Pulled<T> = {
    gate: async () => {},
    idle: () => {},
    bookmark: () => bookmark?.get() ?? null,
    rest() {
      isAtRest = true;
      stopListening();
    },
    readFrom(place) {
      if (isEnded || !isAtRest) return;
      bookmark?.goTo(place);
      isAtRest = false;
      // What has happened since is not known.
      isWoken = true;
      stopListening = listen();
      wake();
    },
    get isOver() {
      return isOver;
    },
    narrow() {
      if (isEnded || !narrow?.()) return false;
      if (isOver) stopListening = listen();
      isOver = false;
      return true;
    },
    // One at a time: a second call waits for the first, as the iterator protocol requires.
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
  return pulled;
}
