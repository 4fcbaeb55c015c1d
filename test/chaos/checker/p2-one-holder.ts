/**
 * P2: one lease holds a step at a time; attempts are numbered 1, 2, 3 …, and each was claimed once.
 */
import type { EventRow } from './database.ts';
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { groupBy, isDone, tell } from './history.ts';

export function checkOneHolder(evidence: Evidence): Finding[] {
  return [...claimedTwice(evidence), ...heldTwice(evidence), ...notNumbered(evidence), ...notInTurn(evidence)];
}

const broken = (says: string, evidence: readonly string[]): Finding => ({ promise: 'P2', says, evidence });

/** Two answers returned the same attempt. */
function claimedTwice({ history }: Evidence): Finding[] {
  return [...groupBy([...history.leases.values()], ({ stepId, attempt }) => `${stepId} attempt ${attempt}`)]
    .filter(([, leases]) => leases.length > 1)
    .map(([name, leases]) =>
      broken(
        `${name} was claimed ${leases.length} times.`,
        leases.map(({ claim }) => tell(claim)),
      ),
    );
}

/**
 * A use of an attempt began and succeeded after a use of a later attempt had succeeded: both held
 * the step.
 */
function heldTwice({ history }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const bySteps = groupBy([...history.leases.values()], ({ stepId }) => stepId);
  for (const [stepId, leases] of bySteps) {
    for (const later of leases) {
      const claimedAt = later.claim.answered?.mono ?? Number.POSITIVE_INFINITY;
      for (const earlier of leases.filter(({ attempt }) => attempt < later.attempt)) {
        const held = (history.uses.get(earlier.token) ?? []).filter((use) => isDone(use) && use.asked.mono > claimedAt);
        for (const use of held)
          findings.push(
            broken(`${stepId} was held by attempt ${earlier.attempt} while attempt ${later.attempt} held it.`, [
              tell(later.claim),
              tell(use),
            ]),
          );
      }
    }
  }
  return findings;
}

function notNumbered({ stored, steps }: Evidence): Finding[] {
  const findings: Finding[] = [];
  const byStep = groupBy(stored.attempts, ({ stepId }) => stepId);
  for (const step of steps.values()) {
    const numbers = (byStep.get(step.id) ?? []).map(({ number }) => number);
    const isInOrder = numbers.length === step.attemptCount && numbers.every((number, i) => number === i + 1);
    if (!isInOrder)
      findings.push(broken(`The attempts at ${step.id} are ${numbers.join(', ')}; it counts ${step.attemptCount}.`, [`steps ${step.id}`]));
  }
  return findings;
}

/**
 * In the events of a step, each claim is of the next attempt, and none comes while the step is
 * held.
 */
function notInTurn({ eventsOfStep }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const [stepId, events] of eventsOfStep) {
    let attempt = 0;
    for (const event of events) {
      if (event.to === 'RUNNING') {
        if (event.from !== 'QUEUED' || event.attempt !== attempt + 1)
          findings.push(
            broken(`${stepId} was claimed as attempt ${event.attempt}, from ${event.from}, after attempt ${attempt}.`, [row(event)]),
          );
        attempt = event.attempt ?? attempt;
      } else if (attempt > 0 && event.attempt !== attempt) {
        findings.push(
          broken(`${stepId} became ${event.to} by attempt ${event.attempt} while attempt ${attempt} was the newest.`, [row(event)]),
        );
      }
    }
  }
  return findings;
}

const row = ({ jobId, seq }: EventRow) => `events ${jobId} ${seq}`;
