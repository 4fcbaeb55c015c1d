import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import type { Principal } from '../../domain/access/principal.ts';
import { limitExceeded, type RequestRefused } from '../../domain/core/request-refusals.ts';
import type { AnswerHeaders } from '../http/headers.ts';
import type { Limits } from '../limits.ts';
import { keyOf } from './tally.ts';

/** The result of taking points from a bucket. */
export interface Standing {
  readonly isTaken: boolean;
  /** The whole points that are left. */
  readonly left: number;
  /** When the requested points will be available. 0 if they were granted. */
  readonly retryMs: number;
  /** When the bucket will be full again if nobody takes points. */
  readonly fullMs: number;
}

/** A tolerance, because the level is a sum of fractions of milliseconds. */
const ROUNDING = 1e-6;

interface Bucket {
  /**
   * The points that it held at `at`. Negative after something that costs more than a full bucket.
   */
  level: number;
  at: number;
}

/**
 * Token buckets by name. Each holds `burst` points and gets `perSecond` back. A full bucket is the
 * same as none and is forgotten, so memory is bounded by the requests in the time that a bucket
 * takes to fill.
 */
export class Buckets {
  readonly perSecond: number;
  readonly burst: number;
  readonly #now: () => number;
  readonly #byName = new Map<string, Bucket>();
  readonly #fillMs: number;
  #forgottenAt: number;

  /**
   * `now` is a monotonic clock in milliseconds. A wall clock that jumps would grant too much or
   * nothing.
   */
  constructor(perSecond: number, burst: number, now: () => number = () => performance.now()) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.#now = now;
    this.#fillMs = (burst / perSecond) * 1_000;
    this.#forgottenAt = now();
  }

  /** The number of names with a bucket. */
  get size(): number {
    return this.#byName.size;
  }

  /**
   * Takes points, or none if there are not enough. A full bucket grants even more than it holds.
   */
  take(name: string, points: number): Standing {
    const bucket = this.#open(name);
    const missing = Math.min(points, this.burst) - bucket.level;
    const isTaken = missing <= ROUNDING;
    if (isTaken) bucket.level -= points;
    return {
      isTaken,
      left: Math.max(0, Math.floor(bucket.level)),
      retryMs: isTaken ? 0 : Math.ceil(((missing - ROUNDING) / this.perSecond) * 1_000),
      fullMs: ((this.burst - bucket.level) / this.perSecond) * 1_000,
    };
  }

  /** Takes points for work already done. This leaves a debt of one full bucket at most. */
  charge(name: string, points: number): void {
    const bucket = this.#open(name);
    bucket.level = Math.max(bucket.level - points, Math.min(bucket.level, -this.burst));
  }

  #open(name: string): Bucket {
    const now = this.#now();
    if (now - this.#forgottenAt > this.#fillMs) this.#forget(now);
    const bucket = this.#byName.get(name) ?? { level: this.burst, at: now };
    bucket.level = this.#levelOf(bucket, now);
    bucket.at = now;
    this.#byName.set(name, bucket);
    return bucket;
  }

  #levelOf({ level, at }: Bucket, now: number): number {
    return Math.min(this.burst, level + ((now - at) / 1_000) * this.perSecond);
  }

  #forget(now: number): void {
    this.#forgottenAt = now;
    for (const [name, bucket] of this.#byName) if (this.#levelOf(bucket, now) >= this.burst) this.#byName.delete(name);
  }
}

/**
 * The points of an operation: one for the fixed cost of any operation, and one for each hundred
 * nodes, so that a large list costs more than a small one.
 */
export const pointsOf = (nodes: number): number => 1 + Math.floor(nodes / 100);

/**
 * The characters of long texts and documents that cost one point: reading and writing them takes as
 * long as a small operation.
 */
const CHARACTERS_PER_POINT = 8_192;

/**
 * Rate limits: a bucket for each key, and one for each address of clients without a key. They are
 * in memory: each gateway has its own, and a key that uses several gateways gets as much from each.
 *
 * The state is sent in the header fields of the IETF draft (draft-ietf-httpapi-ratelimit-headers),
 * `RateLimit-Policy: "key";q=10000;w=10` and `RateLimit: "key";r=9999;t=1`. The older X-RateLimit-…
 * fields have another meaning in each service, a time here and seconds there. Clients act upon
 * `Retry-After`, which every refusal has.
 */
export class Rates {
  readonly #keys: Buckets | null;
  readonly #strangers: Buckets | null;
  readonly #policy: string;

  constructor({ keyRate, keyBurst, strangerRate, strangerBurst }: Limits, now?: () => number) {
    this.#keys = keyRate === null ? null : new Buckets(keyRate, keyBurst, now);
    this.#strangers = strangerRate === null ? null : new Buckets(strangerRate, strangerBurst, now);
    this.#policy = keyRate === null ? '' : `"key";q=${keyBurst};w=${Math.ceil(keyBurst / keyRate)}`;
  }

  /**
   * Takes points of a key. Returns null, or the refusal if it has too few. Adds the state of the
   * bucket to the headers of the answer, if there is one.
   */
  takeOf(principal: Principal, points: number, headers?: AnswerHeaders): TooFast | null {
    return this.#takeNamed(keyOf(principal), points, headers);
  }

  /**
   * Does the same for a signed URL, which is valid without a key, so that it cannot be requested at
   * any rate.
   */
  takeOfAddress(path: string, headers: AnswerHeaders): TooFast | null {
    return this.#takeNamed(path, 1, headers);
  }

  /**
   * Takes points for the long texts and documents of an answer. Their length is known only after
   * they are read.
   */
  chargeFor(principal: Principal, characters: number): void {
    this.#keys?.charge(keyOf(principal), characters / CHARACTERS_PER_POINT);
  }

  /** Takes a point of the address that a request without a valid key comes from. */
  takeOfStranger({ socket: { remoteAddress } }: IncomingMessage): TooFast | null {
    const standing = this.#strangers?.take(networkOf(remoteAddress), 1);
    if (!standing || standing.isTaken) return null;
    const { retryMs } = standing;
    return { error: limitExceeded.rateWithoutKey(this.#strangers?.perSecond ?? 0, 1, retryMs), retryMs };
  }

  #takeNamed(name: string, points: number, headers: AnswerHeaders | undefined): TooFast | null {
    if (this.#keys === null || points === 0) return null;
    const standing = this.#keys.take(name, points);
    if (headers) {
      headers.setHeader('ratelimit-policy', this.#policy);
      headers.setHeader('ratelimit', `"key";r=${standing.left};t=${Math.ceil(standing.fullMs / 1_000)}`);
    }
    if (standing.isTaken) return null;
    const { retryMs } = standing;
    return { error: limitExceeded.rate(this.#keys.perSecond, points, retryMs), retryMs };
  }
}

/** A refusal because of the rate. */
export interface TooFast {
  readonly error: RequestRefused;
  readonly retryMs: number;
}

/**
 * The network by which clients without a key are counted: the IPv4 address, or the /64 of the IPv6
 * address, because a /64 belongs to one customer. `remoteAddress` is that of a socket.
 */
export function networkOf(remoteAddress = ''): string {
  // Node appends the interface to link-local addresses. ipaddr.js refuses names like "%br-lan".
  const [address = ''] = remoteAddress.split('%', 1);
  // The socket of a client that has disconnected has no address.
  if (!ipaddr.isValid(address)) return address;
  // Not `parse`: IPv4 addresses on an IPv6 socket (::ffff:192.0.2.1) would all share one /64.
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  return parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':');
}
