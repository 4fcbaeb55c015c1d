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

export const pull = <T>(wakeups: Waker, clock: Clock, source: Pull<T>): Pulled<T> => new Pulling(wakeups, clock, source);

/** A class, because thousands of them wait at rest: closures would take three times as much. */
class Pulling<T> implements Pulled<T> {
  readonly #wakeups: Waker;
  readonly #clock: Clock;
  readonly #source: Pull<T>;
  gate: (bytes: number) => Promise<void> = free;
  idle: () => void = nothing;
  #isEnded = false;
  #isAtRest = false;
  /** The newest value was the last, unless it is given again in parts. */
  #isOver = false;
  #isWoken = true;
  #heardAt: number | null = null;
  /** Ends the sleep. */
  #wake = nothing;
  #turn: Promise<unknown> = READY;
  #stopListening: () => void;

  constructor(wakeups: Waker, clock: Clock, source: Pull<T>) {
    this.#wakeups = wakeups;
    this.#clock = clock;
    this.#source = source;
    this.#stopListening = this.#listen();
  }

  bookmark(): Bookmark | null {
    return this.#source.bookmark?.get() ?? null;
  }

  rest(): void {
    this.#isAtRest = true;
    this.#stopListening();
  }

  readFrom(bookmark: Bookmark): void {
    if (this.#isEnded || !this.#isAtRest) return;
    this.#source.bookmark?.goTo(bookmark);
    this.#isAtRest = false;
    // What has happened since is not known.
    this.#isWoken = true;
    this.#stopListening = this.#listen();
    this.#wake();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  narrow(): boolean {
    if (this.#isEnded || !this.#source.narrow?.()) return false;
    if (this.#isOver) this.#stopListening = this.#listen();
    this.#isOver = false;
    return true;
  }

  /** One at a time: a second call waits for the first, as the iterator protocol requires. */
  next(): Promise<Result<T>> {
    const result = this.#turn.then(() => this.#next());
    this.#turn = result.catch(nothing);
    return result;
  }

  async return(): Promise<Result<T>> {
    this.#close();
    return { value: undefined, done: true };
  }

  async throw(error: unknown): Promise<Result<T>> {
    this.#close();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #next(): Promise<Result<T>> {
    try {
      while (!this.#isEnded && !this.#isOver) {
        await this.gate(this.#source.bytes ?? USUAL_BYTES);
        if (this.#isEnded) break;
        this.#isWoken = false;
        const since = this.#heardAt;
        this.#heardAt = null;
        const found = await this.#source.look();
        if (this.#isEnded) break;
        if (found && 'end' in found) break;
        if (found) {
          if (since !== null) noteWakeup(found.value, since);
          if (found.isLast) {
            this.#isOver = true;
            this.#stopListening();
          }
          return { value: found.value, done: false };
        }
        this.idle();
        if (!this.#isWoken || this.#isAtRest) await this.#sleep();
      }
    } catch (error) {
      this.#close();
      throw error;
    }
    this.#close();
    return { value: undefined, done: true };
  }

  #listen(): () => void {
    const leave = this.#source.join?.();
    const stopListening = this.#wakeups.on(this.#source.topics, () => {
      this.#isWoken = true;
      this.#heardAt ??= performance.now();
      this.#wake();
    });
    if (!leave) return stopListening;
    return () => {
      stopListening();
      leave();
    };
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isAtRest) {
        this.#wake = resolve;
        return;
      }
      const stopTimer = this.#clock.after(SAFETY_POLL_MS, resolve);
      this.#wake = () => {
        stopTimer();
        resolve();
      };
    });
  }

  #close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#wake();
    if (!this.#isOver && !this.#isAtRest) this.#stopListening();
  }
}

const READY = Promise.resolve();
const free = (): Promise<void> => READY;
const nothing = (): void => {};
