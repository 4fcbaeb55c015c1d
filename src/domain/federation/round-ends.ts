/** The ends of rounds, and of devices' parts in them. */
import { dropOpenParticipants, newestRound, saveParticipant, saveRound } from '../../store/changes/federations.ts';
import type { JobRow, RoundRow, StepRow } from '../../store/schema/tables.ts';
import { type Change, record } from '../core/change.ts';
import type { JobTransition } from '../core/lifecycle.ts';
import type { RoundStatus } from '../core/vocabulary.ts';

/** After an attempt at a step ended: where its device stands in the round. What was completed is the round's to judge: see rounds.ts. */
export async function followStep({ tx }: Change, { id, part, status }: StepRow): Promise<void> {
  if (part !== 'TRAIN' || status === 'SUCCEEDED') return;
  await saveParticipant(tx, id, { status: status === 'QUEUED' ? 'INVITED' : 'DROPPED' });
}

/** Before a federated job ends, however it does: its round does too. */
export async function endRounds(change: Change, job: JobRow, transition: JobTransition): Promise<void> {
  if (!job.isFederated) return;
  const { tx, now } = change;
  await dropOpenParticipants(tx, job.id);
  const [round] = await tx.run(newestRound, { jobId: job.id });
  if (!round || round.finishedAt !== null) return;
  await moveRound(change, job, round, transition === 'fail' ? 'FAILED' : 'CANCELLED', { finishedAt: now });
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
