/** P5: the step of a dead device can be claimed by another within its lease and a second, and who watches sees that its lease expired. */
import type { AttemptRow, EventRow } from './database.ts';
import { attemptKey, type Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { allowance } from './outages.ts';

export function checkReclaimed(evidence: Evidence): Finding[] {
  return [...lostLate(evidence), ...neverLost(evidence)];
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
    if (late > bounds.reclaimMs)
      findings.push(broken(`The step of a lost device was let go ${Math.round(late)} ms after its lease.`, [name]));
    if (!eventsOfStep.get(attempt.stepId)?.some((event) => tellsLoss(event, attempt)))
      findings.push(broken('No event tells that the lease expired.', [name]));
  }
  return findings;
}

/** When the lease ran out: at its end, or, where a gateway was started since, when the full time that this gives again was over. */
function dueAt(fates: Evidence['history']['fates'], { claimedAt, leaseExpiresAt, finishedAt }: AttemptRow, leaseSeconds: number): number {
  const starts = fates.filter(({ what, wall }) => what === 'ready' && wall >= claimedAt && wall <= (finishedAt ?? 0));
  const forgiven = (starts.at(-1)?.wall ?? 0) + leaseSeconds * 1_000;
  return Math.max(leaseExpiresAt, starts.length > 0 ? forgiven : 0);
}

const tellsLoss = ({ attempt, reason, from }: EventRow, { number }: AttemptRow) =>
  attempt === number && (from === 'RUNNING' || from === 'CANCELLING') && (reason === 'LEASE_EXPIRED' || reason === 'ATTEMPTS_EXHAUSTED');

/** A lease that had run out well before the end, and holds its step all the same. */
function neverLost({ stored, history, steps, bounds }: Evidence): Finding[] {
  const lastReady = history.fates.filter(({ what }) => what === 'ready').at(-1)?.wall ?? 0;
  const ends = history.fates.filter(({ what }) => what === 'stopped' || what === 'killed');
  const end = ends.at(-1)?.wall ?? history.end.wall;
  return stored.steps.flatMap(({ id, leaseExpiresAt }) => {
    if (
      leaseExpiresAt === null ||
      end - Math.max(leaseExpiresAt, lastReady) < bounds.reclaimMs + allowance(history, leaseExpiresAt, end, 'wall')
    )
      return [];
    return [
      broken(`${id} is ${steps.get(id)?.status} under a lease that ran out ${end - leaseExpiresAt} ms before the end.`, [`steps ${id}`]),
    ];
  });
}
