/**
 * P4: a step or job reaches one terminal status, once. Its events lead from status to status, up to
 * the stored one.
 */
import type { EventRow } from './database.ts';
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';

const terminal = new Set<string | null>(['SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED']);

export function checkRecordedOnce({ stored, eventsOfStep, events, attempts }: Evidence): Finding[] {
  const findings: Finding[] = [];
  for (const step of stored.steps) findings.push(...checkChain(step, eventsOfStep.get(step.id) ?? []));
  for (const job of stored.jobs) {
    const ofJob = (events.get(job.id) ?? []).filter(({ type }) => type === 'JOB_CREATED' || type === 'JOB_STATUS_CHANGED');
    findings.push(...checkChain(job, ofJob));
  }
  const succeeded = new Set<string>();
  for (const { stepId, number, outcome } of attempts.values()) {
    if (outcome !== 'SUCCEEDED') continue;
    if (succeeded.has(stepId)) findings.push(broken(`More than one attempt at ${stepId} succeeded.`, [`attempts ${stepId} ${number}`]));
    succeeded.add(stepId);
  }
  return findings;
}

const broken = (says: string, evidence: readonly string[]): Finding => ({ promise: 'P4', says, evidence });

function checkChain({ id, status }: { id: string; status: string }, events: readonly EventRow[]): Finding[] {
  const findings: Finding[] = [];
  let before: EventRow | undefined;
  for (const event of events) {
    const rows = [before, event].flatMap((each) => (each ? [`events ${each.jobId} ${each.seq}`] : []));
    if (before && terminal.has(before.to)) findings.push(broken(`${id} was ${before.to}, and became ${event.to} all the same.`, rows));
    else if (before && event.from !== before.to)
      findings.push(broken(`${id} became ${event.to} from ${event.from}, but was ${before.to}.`, rows));
    before = event;
  }
  if (before && before.to !== status)
    findings.push(broken(`${id} is ${status}; its last event says ${before.to}.`, [`events ${before.jobId} ${before.seq}`]));
  return findings;
}
