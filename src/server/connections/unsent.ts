import { badRequest, limitExceeded, type RequestRefused, type UnsentLimit, unsentTo } from '../../domain/core/request-refusals.ts';
import { Gauge, type Instrument } from '../../instruments/instruments.ts';
import type { Limits } from '../limits.ts';

/** Whether this is the name of a limit on unsent bytes. */
export const isUnsentLimit = (limit: string | null): limit is UnsentLimit => limit !== null && limit in unsentTo;

/** The number of bytes of a text when sent. Approximate for a short text. */
export const bytesOf = (text: string): number => (text.length < 4_096 ? text.length : Buffer.byteLength(text));

/**
 * An answer of this size always has room if nothing else is unsent on its connection, so that
 * clients that read are not affected by clients that do not.
 */
const SMALL_BYTES = 16_384;

/** How much waits of one connection, of one key, or in the process. */
class Level {
  readonly name: UnsentLimit;
  readonly limit: number;
  used = 0;
  /** Accounts that wait for room here, in the order in which they came. */
  readonly waiting = new Set<Account>();

  constructor(name: UnsentLimit, limit: number) {
    this.name = name;
    this.limit = limit;
  }

  /** Something larger than the limit fits too, if it is alone: a single row of a log may be. */
  fits(bytes: number): boolean {
    return this.used === 0 || this.used + bytes <= this.limit;
  }
}

/**
 * Counts the bytes that were produced for consumers and not sent yet, in one place for HTTP,
 * server-sent events and WebSocket: for each connection, each key and the process (P9).
 *
 * A stream waits until there is room, and only then reads its next entries. An answer without room
 * is refused. What is read for an answer counts until its text was sent.
 */
export class Unsent {
  readonly #limits: Pick<Limits, UnsentLimit>;
  readonly #process: Level;
  readonly #keys = new Map<string, { readonly level: Level; accounts: number }>();
  #waiting = 0;
  readonly instruments: readonly Instrument[] = [
    new Gauge(
      { name: 'trainyard_unsent_bytes', help: 'Bytes of answers and frames that were made and wait for their consumers to take them' },
      () => this.bytes,
    ),
    new Gauge(
      { name: 'trainyard_streams_waiting', help: 'Subscriptions that wait for room among what is unsent before they read on' },
      () => this.#waiting,
    ),
  ];

  constructor(limits: Pick<Limits, UnsentLimit>) {
    this.#limits = limits;
    this.#process = new Level('unsentBytes', limits.unsentBytes);
  }

  get bytes(): number {
    return this.#process.used;
  }

  /** Whether someone waits because the process is at its limit. */
  get isTight(): boolean {
    return this.#process.waiting.size > 0 || !this.#process.fits(SMALL_BYTES);
  }

  /** Of a connection, to be closed with it. `key` is what its consumer is counted by. */
  open(key: string): Account {
    let ofKey = this.#keys.get(key);
    if (!ofKey) {
      ofKey = { level: new Level('keyUnsentBytes', this.#limits.keyUnsentBytes), accounts: 0 };
      this.#keys.set(key, ofKey);
    }
    const found = ofKey;
    found.accounts += 1;
    const levels = [new Level('connectionUnsentBytes', this.#limits.connectionUnsentBytes), found.level, this.#process] as const;
    return new Account(levels, {
      waits: (by) => {
        this.#waiting += by;
      },
      closed: () => {
        found.accounts -= 1;
        if (found.accounts === 0) this.#keys.delete(key);
      },
    });
  }
}

interface Tell {
  readonly waits: (by: number) => void;
  readonly closed: () => void;
}

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/** The unsent bytes of one connection. Its streams get room in the order of their requests. */
export class Account {
  readonly #levels: readonly [own: Level, ofKey: Level, ofProcess: Level];
  readonly #tell: Tell;
  readonly #waiters = new Set<Waiter>();
  #isClosed = false;

  constructor(levels: readonly [own: Level, ofKey: Level, ofProcess: Level], tell: Tell) {
    this.#levels = levels;
    this.#tell = tell;
  }

  /** For one answer, or one stream. */
  share(): Share {
    return new Share(this);
  }

  /** The level that has no room for so much more. */
  blockedBy(bytes: number): Level | null {
    return this.#levels.find((level) => !level.fits(bytes)) ?? null;
  }

  get isEmpty(): boolean {
    return this.#levels[0].used === 0;
  }

  add(bytes: number): void {
    for (const level of this.#levels) level.used += bytes;
  }

  remove(bytes: number): void {
    if (bytes === 0) return;
    for (const level of this.#levels) level.used -= bytes;
    this.advance();
    for (const level of this.#levels) {
      for (const account of level.waiting) {
        if (account.#firstBlock() === level) break;
        level.waiting.delete(account);
        account.advance();
      }
    }
  }

  /** Adds the amount once there is room. Returns a function that cancels the request. */
  wait(bytes: number, admitted: () => void): () => void {
    const waiter: Waiter = { bytes, admit: admitted };
    this.#waiters.add(waiter);
    this.#tell.waits(1);
    this.advance();
    return () => {
      if (!this.#waiters.delete(waiter)) return;
      this.#tell.waits(-1);
      this.advance();
    };
  }

  /** Admits waiting accounts while there is room, and queues at the level that has none. */
  advance(): void {
    for (const waiter of this.#waiters) {
      const level = this.blockedBy(waiter.bytes);
      if (level) {
        level.waiting.add(this);
        return;
      }
      this.#waiters.delete(waiter);
      this.#tell.waits(-1);
      this.add(waiter.bytes);
      waiter.admit();
    }
  }

  #firstBlock(): Level | null {
    const [first] = this.#waiters;
    return first ? this.blockedBy(first.bytes) : null;
  }

  /** The connection is closed: its shares have been, too. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const level of this.#levels) level.waiting.delete(this);
    this.#tell.closed();
  }
}

/** The share of one answer, or of the newest frame of one stream. */
export class Share {
  readonly #account: Account;
  #held = 0;
  /** The bytes that were read for the answer or frame in progress. */
  #read = 0;
  #giveUp: (() => void) | null = null;
  #isClosed = false;

  constructor(account: Account) {
    this.#account = account;
  }

  /** Resolves when there is room for so much, which is held then; or when the share is closed. */
  async reserve(bytes: number): Promise<void> {
    this.#read = 0;
    const more = bytes - this.#held;
    if (more <= 0 || this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const takeBack = this.#account.wait(more, () => {
        this.#held += more;
        this.#giveUp = null;
        resolve();
      });
      if (this.#held >= bytes) return;
      this.#giveUp = () => {
        takeBack();
        resolve();
      };
    });
  }

  /** Takes so much more for what is about to be read. Throws LIMIT_EXCEEDED, naming the limit, where there is no room for it. */
  take(bytes: number): void {
    if (this.#isClosed) throw badRequest.nobodyWaits();
    this.#read += bytes;
    const more = this.#read - this.#held;
    if (more <= 0) return;
    const level = this.#account.blockedBy(more);
    if (level) throw limitExceeded.unsent(level.name, level.limit);
    this.#account.add(more);
    this.#held += more;
  }

  /** What a read that was refused wanted to have in all. */
  get wanted(): number {
    return this.#read;
  }

  /** Holds so much from now on, since that is what was made. */
  settle(bytes: number): null {
    if (this.#isClosed) return null;
    const less = this.#held - bytes;
    this.#held = bytes;
    this.#read = 0;
    if (less < 0) this.#account.add(-less);
    else this.#account.remove(less);
    return null;
  }

  /** The same for an answer that can be refused: the refusal, where there is no room for it. */
  admit(bytes: number): RequestRefused | null {
    this.settle(0);
    const level = this.#account.blockedBy(bytes);
    if (level && !(bytes <= SMALL_BYTES && this.#account.isEmpty)) return limitExceeded.unsent(level.name, level.limit);
    this.settle(bytes);
    return null;
  }

  /** It has left. */
  release(): void {
    this.settle(0);
  }

  /** Nobody wants anything more. */
  close(): void {
    if (this.#isClosed) return;
    this.release();
    this.#isClosed = true;
    this.#giveUp?.();
  }
}
