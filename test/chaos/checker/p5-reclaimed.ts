/**
 * P5: the step of a dead device can be claimed by another within its lease plus a second, and
 * watchers see the lease expire.
 */
import type { AttemptRow, EventRow } from './database.ts';
import { attemptKey, type Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { slowdown } from './outages.ts';
import { checkExpiriesSeen } from './p7-arrivals.ts';

export function checkReclaimed(evidence: Evidence): Finding[] {
  return [...lostLate(evidence), ...neverLost(evidence), ...checkExpiriesSeen(evidence)];
}

const broken = (says: string, evidence: readonly string[]): Finding => ({ promise: 'P5', says, evidence });

function lostLate({ stored, history, eventsOfStep, bounds }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const leases = new Map([...history.leases.values()].map((lease) => [attemptKey(lease.stepId, lease.attempt), lease]));
  const longest = Math.max(0, ...[...leases.values()].map(({ leaseSeconds }) => leaseSeconds));
  for (const attempt of stored.attempts) {
    if (attempt.outcome !== 'LOST' || attempt.finishedAt === null) continue;
    const leaseSeconds = leases.get(attemptKey(attempt.stepId, attempt.number))?.leaseSeconds ?? longest;
    const due = dueAt(history.fates, attempt, leaseSeconds);
    const late = attempt.finishedAt - due;
    const name = `attempts ${attempt.stepId} ${attempt.number}`;
    const within = bounds.reclaimMs + bounds.reclaimMachineMs * slowdown(history, due, attempt.finishedAt, 'wall');
    if (late > within) findings.push(broken(`The step of a lost device was let go ${Math.round(late)} ms after its lease.`, [name]));
    if (!eventsOfStep.get(attempt.stepId)?.some((event) => tellsLoss(event, attempt)))
      findings.push(broken('No event tells that the lease expired.', [name]));
  }
  return findings;
}

/**
 * When the lease ran out: at its end, or, if a gateway has started since, after the full time that
 * the start grants again. That is granted at some moment during the start.
 */
function dueAt(fates: Evidence['history']['fates'], { claimedAt, leaseExpiresAt, finishedAt }: AttemptRow, leaseSeconds: number): number {
  const end = finishedAt ?? 0;
  const begun = fates.findLast(({ what, wall }) => what === 'starting' && wall >= claimedAt && wall <= end);
  if (!begun) return leaseExpiresAt;
  const ready = fates.find(({ what, wall, of }) => what === 'ready' && of === begun.of && wall >= begun.wall);
  return Math.max(leaseExpiresAt, Math.min(ready?.wall ?? end, end) + leaseSeconds * 1_000);
}

const tellsLoss = ({ attempt, reason, from }: EventRow, { number }: AttemptRow) =>
  attempt === number && (from === 'RUNNING' || from === 'CANCELLING') && (reason === 'LEASE_EXPIRED' || reason === 'ATTEMPTS_EXHAUSTED');

/** A lease that ran out well before the end of the history, but still holds its step. */
function neverLost({ stored, history, steps, bounds }: Evidence): Finding[] {
  const lastReady = history.fates.filter(({ what }) => what === 'ready').at(-1)?.wall ?? 0;
  const ends = history.fates.filter(({ what }) => what === 'stopped' || what === 'killed');
  const end = ends.at(-1)?.wall ?? history.end.wall;
  return stored.steps.flatMap(({ id, leaseExpiresAt }) => {
    if (leaseExpiresAt === null) return [];
    const within = bounds.reclaimMs + bounds.reclaimMachineMs * slowdown(history, leaseExpiresAt, end, 'wall');
    if (end - Math.max(leaseExpiresAt, lastReady) < within) return [];
    return [
      broken(`${id} is ${steps.get(id)?.status} under a lease that ran out ${end - leaseExpiresAt} ms before the end.`, [`steps ${id}`]),
    ];
  });
}
