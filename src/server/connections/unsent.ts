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

const NOBODY: ReadonlySet<never> = new Set();

/** The unsent bytes of one connection, of one key, or of the process. */
class Level {
  readonly name: UnsentLimit;
  readonly limit: number;
  used = 0;
  /**
   * Accounts that wait for room here, in the order in which they came. Made when first needed: each
   * request has an account, and few ever wait.
   */
  #waiting: Set<Account> | null = null;

  constructor(name: UnsentLimit, limit: number) {
    this.name = name;
    this.limit = limit;
  }

  get waiting(): ReadonlySet<Account> {
    return this.#waiting ?? NOBODY;
  }

  queue(account: Account): void {
    this.#waiting ??= new Set();
    this.#waiting.add(account);
  }

  leave(account: Account): void {
    this.#waiting?.delete(account);
  }

  /** If nothing else is unsent, more than the limit fits: a single row of a log may be larger. */
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
      { name: 'trainyard_unsent_bytes', help: 'Bytes of answers and frames that were produced and not sent yet' },
      () => this.bytes,
    ),
    new Gauge(
      { name: 'trainyard_streams_waiting', help: 'Subscriptions that wait for room for more unsent bytes before they read on' },
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

  /** Opens the account of a connection, to be closed with it. `key`: see `keyOf`. */
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

interface Observer {
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
  readonly #observer: Observer;
  /** Made when first needed. */
  #waiters: Set<Waiter> | null = null;
  #isClosed = false;

  constructor(levels: readonly [own: Level, ofKey: Level, ofProcess: Level], observer: Observer) {
    this.#levels = levels;
    this.#observer = observer;
  }

  /** The share of one answer or one stream. */
  share(): Share {
    return new Share(this);
  }

  /** The first level without room for this many more bytes. */
  blockedBy(bytes: number): Level | null {
    return this.#levels.find((level) => !level.fits(bytes)) ?? null;
  }

  /** Whether this many bytes more can be added before anyone who waits. */
  hasRoom(bytes: number): boolean {
    return this.#levels.every((level) => level.fits(bytes) && level.waiting.size === 0);
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
        level.leave(account);
        account.advance();
      }
    }
  }

  /** Adds the bytes once there is room. Returns a function that cancels this. */
  wait(bytes: number, admitted: () => void): () => void {
    const waiter: Waiter = { bytes, admit: admitted };
    this.#waiters ??= new Set();
    this.#waiters.add(waiter);
    this.#observer.waits(1);
    this.advance();
    return () => {
      if (!this.#waiters?.delete(waiter)) return;
      this.#observer.waits(-1);
      this.advance();
    };
  }

  /** Admits waiting accounts while there is room, and queues at the level that has none. */
  advance(): void {
    if (!this.#waiters) return;
    for (const waiter of this.#waiters) {
      const level = this.blockedBy(waiter.bytes);
      if (level) {
        level.queue(this);
        return;
      }
      this.#waiters.delete(waiter);
      this.#observer.waits(-1);
      this.add(waiter.bytes);
      waiter.admit();
    }
  }

  #firstBlock(): Level | null {
    const [first] = this.#waiters ?? [];
    return first ? this.blockedBy(first.bytes) : null;
  }

  /** The connection is closed, and so are its shares. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const level of this.#levels) level.leave(this);
    this.#observer.closed();
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

  /** Waits until there is room for this many bytes, and holds them. Also resolves on `close`. */
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

  /**
   * Holds this many bytes more, which are about to be read. Throws LIMIT_EXCEEDED with the name of
   * the limit if there is no room.
   */
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

  /** Whether it could hold this many bytes: there is room, and nobody waits for it. */
  hasRoom(bytes: number): boolean {
    return !this.#isClosed && this.#account.hasRoom(bytes - this.#held);
  }

  /** The total that a refused read asked for. */
  get wanted(): number {
    return this.#read;
  }

  /** Holds exactly this many bytes: the size of what was produced. */
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

  /** It was sent. */
  release(): void {
    this.settle(0);
  }

  /** The client is gone, or the stream has ended. */
  close(): void {
    if (this.#isClosed) return;
    this.release();
    this.#isClosed = true;
    this.#giveUp?.();
  }
}
