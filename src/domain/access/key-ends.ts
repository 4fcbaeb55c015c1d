/** Watches for the end of a key, so that an open stream ends with its key (P15). */
import { keyById } from '../../store/queries/keys.ts';
import { stepById } from '../../store/queries/rows.ts';
import type { Topic } from '../../store/store.ts';
import { topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { isHeldStep } from '../core/lifecycle.ts';
import type { Waker } from '../core/waker.ts';
import type { Principal } from './principal.ts';

/**
 * Makes up for a lost wake-up well within the 5 s of P15. It is also far below the longest delay of
 * a timer (24.8 days).
 */
const LOOK_EVERY_MS = 4_000;

type Ended = (why: KeyEnd) => void;

/** The watch on one key or lease, shared by all of its connections: one read serves them all. */
class KeyWatch {
  readonly #domain: Domain;
  readonly #principal: Principal;
  readonly #watchers = new Set<Ended>();
  readonly #stopListening: () => void;
  readonly #over: () => void;
  #isStopped = false;
  #isLooking = false;
  #isWoken = false;
  #stopTimer = () => {};

  constructor(domain: Domain, wakeups: Waker, principal: Principal, { topic, over }: { readonly topic: Topic; readonly over: () => void }) {
    this.#domain = domain;
    this.#principal = principal;
    this.#over = over;
    this.#stopListening = wakeups.on([topic], () => void this.#look());
  }

  /** The key may have ended after the subscriber was authenticated, so it is checked again. */
  join(ended: Ended): () => void {
    const told: Ended = (why) => ended(why);
    this.#watchers.add(told);
    void this.#look();
    return () => {
      if (this.#watchers.delete(told) && this.#watchers.size === 0) this.#stop();
    };
  }

  #stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopTimer();
    this.#stopListening();
    this.#over();
  }

  async #look(): Promise<void> {
    // One check at a time: a lease is watched through the events of its job, and many may come at
    // once.
    this.#isWoken = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#stopTimer();
    let left = LOOK_EVERY_MS;
    while (this.#isWoken && !this.#isStopped) {
      this.#isWoken = false;
      // The database is unreachable: a later check will tell.
      const life = await lifeOf(this.#domain, this.#principal).catch(() => null);
      if (this.#isStopped) return;
      if (life?.end) {
        const watchers = [...this.#watchers];
        this.#watchers.clear();
        this.#stop();
        for (const ended of watchers) ended(life.end);
        return;
      }
      left = life?.until ? life.until.getTime() - this.#domain.clock.now().getTime() : LOOK_EVERY_MS;
    }
    this.#isLooking = false;
    this.#stopTimer = this.#domain.clock.after(Math.max(1, Math.min(left, LOOK_EVERY_MS)), () => void this.#look());
  }
}

const watches = new WeakMap<Waker, Map<string, KeyWatch>>();

/**
 * Calls `ended` once when the principal's key expires or is revoked, or its lease is gone. Returns
 * a function that stops the watch.
 */
export function watchKey(domain: Domain, wakeups: Waker, principal: Principal, ended: Ended): () => void {
  const { keyId, jobId, stepId, attempt } = principal;
  const topic = keyId ? topics.key(keyId) : jobId ? topics.events(jobId) : null;
  if (topic === null) return () => {};
  const all = watches.get(wakeups) ?? new Map<string, KeyWatch>();
  watches.set(wakeups, all);
  const name = keyId ?? `${stepId} ${attempt}`;
  let watch = all.get(name);
  if (!watch) {
    watch = new KeyWatch(domain, wakeups, principal, { topic, over: () => all.delete(name) });
    all.set(name, watch);
  }
  return watch.join(ended);
}

export type KeyEnd = 'expired' | 'revoked';

/** Returns how the principal's key or lease has ended. Null if it is still valid. */
export const endOf = async (domain: Domain, principal: Principal): Promise<KeyEnd | null> => (await lifeOf(domain, principal)).end;

/** `until`: the current expiry, which may have changed since the principal was authenticated. */
async function lifeOf(
  { store, clock }: Domain,
  { keyId, stepId, attempt }: Principal,
): Promise<{ readonly end: KeyEnd | null; readonly until: Date | null }> {
  if (keyId !== null) {
    const [key] = await store.read.run(keyById, { id: keyId });
    if (!key || key.revokedAt !== null) return { end: 'revoked', until: null };
    return { end: key.expiresAt !== null && key.expiresAt <= clock.now() ? 'expired' : null, until: key.expiresAt };
  }
  if (stepId === null) return { end: null, until: null };
  const [step] = await store.read.run(stepById, { id: stepId });
  return { end: step && isHeldStep(step.status) && step.attemptCount === attempt ? null : 'revoked', until: null };
}
