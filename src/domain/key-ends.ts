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
export function watchKey(domain: Domain, wakeups: Waker, principal: Principal, ended: (why: 'expired' | 'revoked') => void): () => void {
  let isStopped = false;
  let stopTimer = () => {};
  const watched = principal.keyId ? topics.key(principal.keyId) : principal.jobId ? topics.events(principal.jobId) : null;
  if (watched === null) return () => {};
  const stop = () => {
    isStopped = true;
    stopTimer();
    stopListening();
  };
  const look = async () => {
    stopTimer();
    // The database is away: the next look tells.
    const why = await endOf(domain, principal).catch(() => null);
    if (isStopped) return;
    if (why) {
      stop();
      ended(why);
      return;
    }
    const left = principal.expiresAt ? principal.expiresAt.getTime() - domain.clock.now().getTime() : LOOK_EVERY_MS;
    stopTimer = domain.clock.after(Math.max(1, Math.min(left, LOOK_EVERY_MS)), () => void look());
  };
  const stopListening = wakeups.on([watched], () => void look());
  void look();
  return stop;
}

/** Whether the principal's key has ended, or the lease that it stands for is gone; null: it is good. */
export async function endOf(
  { store, clock }: Domain,
  { keyId, stepId, attempt, expiresAt }: Principal,
): Promise<'expired' | 'revoked' | null> {
  if (expiresAt !== null && expiresAt <= clock.now()) return 'expired';
  if (keyId !== null) {
    const [key] = await store.read.run(keyById, { id: keyId });
    return !key || key.revokedAt !== null ? 'revoked' : null;
  }
  if (stepId === null) return null;
  const [step] = await store.read.run(stepById, { id: stepId });
  return step && isHeldStep(step.status) && step.attemptCount === attempt ? null : 'revoked';
}
