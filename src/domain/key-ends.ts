/** When a key ends: what keeps a stream open asks here to be told, so that it ends with the key (P15). */
import { keyById } from '../store/queries/keys.ts';
import { stepById } from '../store/queries/rows.ts';
import { topics } from './change.ts';
import type { Domain } from './domain.ts';
import { isHeldStep } from './lifecycle.ts';
import type { Principal } from './principal.ts';
import type { Waker } from './waker.ts';

/** A wake-up that got lost is made up for well within the 5 s of P15, and a timer's longest reach (24.8 days) is never met. */
const LOOK_EVERY_MS = 4_000;

/** Calls `ended` once when the principal's key expires or is revoked, or the lease that it stands for is gone. Returns what stops the watching. */
export function watchKey(domain: Domain, wakeups: Waker, principal: Principal, ended: (why: KeyEnd) => void): () => void {
  let isStopped = false;
  let isLooking = false;
  let isWoken = false;
  let stopTimer = () => {};
  const watched = principal.keyId ? topics.key(principal.keyId) : principal.jobId ? topics.events(principal.jobId) : null;
  if (watched === null) return () => {};
  const stop = () => {
    isStopped = true;
    stopTimer();
    stopListening();
  };
  const look = async () => {
    // One look at a time: a lease is watched by the events of its job, of which there may be many in one moment.
    isWoken = true;
    if (isLooking) return;
    isLooking = true;
    stopTimer();
    let left = LOOK_EVERY_MS;
    while (isWoken && !isStopped) {
      isWoken = false;
      // The database is away: a later look tells.
      const life = await lifeOf(domain, principal).catch(() => null);
      if (isStopped) return;
      if (life?.end) {
        stop();
        ended(life.end);
        return;
      }
      left = life?.until ? life.until.getTime() - domain.clock.now().getTime() : LOOK_EVERY_MS;
    }
    isLooking = false;
    stopTimer = domain.clock.after(Math.max(1, Math.min(left, LOOK_EVERY_MS)), () => void look());
  };
  const stopListening = wakeups.on([watched], () => void look());
  void look();
  return stop;
}

export type KeyEnd = 'expired' | 'revoked';

/** Whether the principal's key has ended, or the lease that it stands for is gone; null: it is good. */
export const endOf = async (domain: Domain, principal: Principal): Promise<KeyEnd | null> => (await lifeOf(domain, principal)).end;

/** `until`: when it will end by itself, which may have been changed since the principal came. */
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
