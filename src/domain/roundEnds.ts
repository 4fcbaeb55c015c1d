/** The ends of rounds, and of devices' parts in them. */
import { newestRound, participantsOfRound, saveParticipant, saveRound } from '../store/changes/federations.ts';
import type { JobRow, RoundRow, StepRow } from '../store/tables.ts';
import { type Change, record } from './change.ts';
import type { Cause } from './transitions.ts';
import type { RoundStatus } from './vocabulary.ts';

/** A device let go of a step that its round needed no more. */
export async function leaveRound(change: Change, step: StepRow): Promise<void> {
  if (step.part === 'TRAIN') await saveParticipant(change.tx, step.id, { status: 'DROPPED' });
}

/** When a federated job ends, however it does: its round does too. */
export async function endRounds(change: Change, job: JobRow, cause: Cause): Promise<void> {
  if (!job.isFederated) return;
  const { tx, now } = change;
  const [round] = await tx.run(newestRound, { jobId: job.id });
  if (!round || (round.status !== 'TRAINING' && round.status !== 'AGGREGATING')) return;
  await moveRound(change, job, round, cause.reason === 'QUORUM_UNREACHABLE' ? 'FAILED' : 'CANCELLED', { finishedAt: now });
  for (const { stepId, status } of await tx.run(participantsOfRound, { jobId: job.id, round: round.number })) {
    if (status === 'INVITED' || status === 'TRAINING') await saveParticipant(tx, stepId, { status: 'DROPPED' });
  }
}

/** Moves a round, with the other columns that change along, and stores the event. */
export async function moveRound(
  change: Change,
  job: JobRow,
  round: RoundRow,
  status: RoundStatus,
  columns: Partial<RoundRow>,
): Promise<void> {
  await saveRound(change.tx, round, { ...columns, status });
  await record(change, job, { type: 'ROUND_CHANGED', from: round.status, to: status, details: [String(round.number)] });
}
