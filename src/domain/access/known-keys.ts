import { anyTopic, kindOf, type Topic } from '../../store/store.ts';
import { keyOfTopic, topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { authenticateLease, findKey, isLease, isLive, noteUse, principalOf, secretOf } from './keys.ts';
import type { Principal } from './principal.ts';
import { hashOf } from './secrets.ts';

/**
 * How long a key is used without reading it again. A change of the key ends that at once, in
 * whatever gateway it is made. This is the bound for a change that nothing announces: on PostgreSQL
 * the connection that hears of the other gateways' changes may be lost.
 */
const KNOWN_MS = 1_000;
/** Enough for some thousand keys. */
const MOST_BYTES = 8_000_000;
/** What a key takes, besides the characters of its name. */
const BYTES_PER_KEY = 1_024;

interface Known {
  readonly id: string;
  readonly principal: Principal;
  readonly expiresAt: Date | null;
  lastUsedAt: Date | null;
  /** By the monotonic clock. */
  readonly readAt: number;
}

/**
 * Authenticates callers, and remembers the keys of those that call often. Reading the key anew
 * takes an eighth of the processor time of a request that reads one job.
 *
 * Lease tokens are not remembered: no one topic announces their end.
 */
export class KnownKeys {
  readonly #domain: Domain;
  /** By the hash of the secret. */
  readonly #known = new Map<string, Known>();
  /** The hash of the secret, by the id of the key. */
  readonly #hashes = new Map<string, string>();
  #bytes = 0;
  /** The number of changes of keys. A key that changed while it was read is not remembered. */
  #changes = 0;

  constructor(domain: Domain) {
    this.#domain = domain;
    domain.store.onCommit((touched) => this.#forget(touched), [kindOf(topics.key(''))]);
  }

  /**
   * The principal of this `Authorization` value. Null if there is no key, or it is unknown or has
   * ended. At once for a key that is known.
   */
  authenticate(authorization: string | undefined): Promise<Principal | null> | Principal | null {
    const secret = secretOf(authorization);
    if (secret === null) return null;
    if (isLease(secret)) return authenticateLease(this.#domain, secret);
    const hash = hashOf(secret);
    const known = this.#known.get(hash);
    const age = known ? this.#domain.clock.elapsed() - known.readAt : KNOWN_MS;
    // A clock that is set back makes the age negative.
    return known && age >= 0 && age < KNOWN_MS ? this.#use(known) : this.#read(hash);
  }

  async #read(hash: string): Promise<Principal | null> {
    const changes = this.#changes;
    const key = await findKey(this.#domain, hash);
    if (!key) return null;
    const { id, expiresAt, lastUsedAt } = key;
    const known = { id, expiresAt, lastUsedAt, principal: principalOf(key), readAt: this.#domain.clock.elapsed() };
    if (changes === this.#changes) this.#remember(hash, known);
    return this.#use(known);
  }

  #use(known: Known): Principal | null {
    const now = this.#domain.clock.now();
    if (!isLive(known, now)) return null;
    if (noteUse(this.#domain, known, now)) known.lastUsedAt = now;
    return known.principal;
  }

  #remember(hash: string, known: Known): void {
    this.#drop(known.id);
    // Whatever is used is read again within a second anyway.
    if (this.#bytes >= MOST_BYTES) this.#dropAll();
    this.#known.set(hash, known);
    this.#hashes.set(known.id, hash);
    this.#bytes += bytesOf(known);
  }

  #forget(touched: ReadonlySet<Topic>): void {
    if (touched.has(anyTopic)) {
      this.#changes += 1;
      this.#dropAll();
      return;
    }
    for (const topic of touched) {
      const id = keyOfTopic(topic);
      if (id === null) continue;
      this.#changes += 1;
      this.#drop(id);
    }
  }

  #drop(id: string): void {
    const hash = this.#hashes.get(id);
    const known = hash === undefined ? undefined : this.#known.get(hash);
    if (hash === undefined || !known) return;
    this.#hashes.delete(id);
    this.#known.delete(hash);
    this.#bytes -= bytesOf(known);
  }

  #dropAll(): void {
    this.#known.clear();
    this.#hashes.clear();
    this.#bytes = 0;
  }
}

const bytesOf = ({ principal }: Known): number => BYTES_PER_KEY + 2 * principal.name.length;
