import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import type { Principal } from '../../domain/access/principal.ts';
import { exceed } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { keyOf } from './tally.ts';

/** What a bucket says when it is asked for points. */
export interface Standing {
  readonly isTaken: boolean;
  /** Whole points that are left. */
  readonly left: number;
  /** After how long as many could be had as were asked for; 0 where they were. */
  readonly retryMs: number;
  /** After how long the bucket is full again, if nobody asks meanwhile. */
  readonly fullMs: number;
}

/** Fractions of points are sums of fractions of milliseconds. */
const ROUNDING = 1e-6;

interface Bucket {
  /** How many points it held at `at`. Below zero after something that costs more than a full one holds. */
  level: number;
  at: number;
}

/**
 * Token buckets by name: each holds `burst` points and gets `perSecond` back. One that is full again is as good as none and is forgotten, so
 * that memory is bounded by what was asked in the time that a bucket takes to fill.
 */
export class Buckets {
  readonly perSecond: number;
  readonly burst: number;
  readonly #now: () => number;
  readonly #byName = new Map<string, Bucket>();
  readonly #fillMs: number;
  #forgottenAt: number;

  /** `now` is a monotonic clock in milliseconds: a wall clock that jumps would give too much or nothing. */
  constructor(perSecond: number, burst: number, now: () => number = () => performance.now()) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.#now = now;
    this.#fillMs = (burst / perSecond) * 1_000;
    this.#forgottenAt = now();
  }

  /** How many names it knows anything of. */
  get size(): number {
    return this.#byName.size;
  }

  /** Takes points, or none where there are not enough. What costs more than a bucket holds is to be had from a full one. */
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

  /** Takes points for what was done already. What is taken like this leaves a debt of one full bucket at most. */
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

/** The points of an operation: one for what any takes (who is it, what is asked, an answer), and one for each hundred nodes, so that large lists are not had at the price of small ones. */
export const pointsOf = (nodes: number): number => 1 + Math.floor(nodes / 100);

/** Characters of long texts and documents for which an answer takes a point. To read and write them takes as long as an operation does. */
const CHARACTERS_PER_POINT = 8_192;

/**
 * How fast clients may ask: a bucket for each key, and one for each address of those who show none. In memory, each gateway its own: a key
 * that asks several gateways gets as much from each.
 *
 * What is left is said in the fields of the IETF's draft (draft-ietf-httpapi-ratelimit-headers), `RateLimit-Policy: "key";q=10000;w=10` and
 * `RateLimit: "key";r=9999;t=1`: of the older X-RateLimit-… each service has a reading of its own, a moment here and seconds there. What clients
 * act upon is `Retry-After`, which a refusal has in either case.
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

  /** Takes points of a key; null where it has them, else the refusal. Tells the client how it stands, where there is a response to tell it with. */
  takeOf(principal: Principal, points: number, response?: ServerResponse): TooFast | null {
    return this.#takeNamed(keyOf(principal), points, response);
  }

  /** The same for an address that is good without a key, a signed one: the same one is not asked for ever faster. */
  takeOfAddress(path: string, response: ServerResponse): TooFast | null {
    return this.#takeNamed(path, 1, response);
  }

  /** Takes points for the long texts and documents of an answer: how long they are is known when they have been read. */
  chargeFor(principal: Principal, characters: number): void {
    this.#keys?.charge(keyOf(principal), characters / CHARACTERS_PER_POINT);
  }

  /** Takes a point of the address that a request without a valid key comes from. */
  takeOfStranger({ socket: { remoteAddress } }: IncomingMessage): TooFast | null {
    const standing = this.#strangers?.take(networkOf(remoteAddress ?? ''), 1);
    if (!standing || standing.isTaken) return null;
    return tooFast(
      'strangerRate',
      'Too many requests without a valid key came from your address.',
      this.#strangers?.perSecond ?? 0,
      1,
      standing,
    );
  }

  #takeNamed(name: string, points: number, response: ServerResponse | undefined): TooFast | null {
    if (this.#keys === null || points === 0) return null;
    const standing = this.#keys.take(name, points);
    if (response) {
      response.setHeader('ratelimit-policy', this.#policy);
      response.setHeader('ratelimit', `"key";r=${standing.left};t=${Math.ceil(standing.fullMs / 1_000)}`);
    }
    if (standing.isTaken) return null;
    const { perSecond } = this.#keys;
    return tooFast('keyRate', `This key asks for more than ${perSecond} points a second.`, perSecond, points, standing);
  }
}

/** A refusal that is over by itself. */
export interface TooFast {
  readonly error: GraphQLError;
  readonly retryMs: number;
}

function tooFast(limit: keyof Limits, message: string, allowed: number, asked: number, { retryMs }: Standing): TooFast {
  return { error: exceed(limit, `${message} Try again in ${retryMs} ms.`, { allowed, asked, retryAfterMs: retryMs }), retryMs };
}

/** An address, or of IPv6 the network that one customer has: all of it is in one hand. */
export function networkOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::', 2);
  const groups = head.split(':').filter((group) => group !== '');
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length;
  return [...groups, ...new Array<string>(Math.max(0, missing)).fill('0'), ...(tail ?? '').split(':')].slice(0, 4).join(':');
}
