/** How rounds, and the devices in them, end. */
import { dropOpenParticipants, newestRound } from '../../store/changes/federations.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import type { Change } from '../core/change.ts';
import type { JobTransition } from '../core/lifecycle.ts';
import { moveParticipant, moveRound } from '../core/transitions.ts';

/**
 * After an attempt ended without success: updates its device's status in the round. Completed steps
 * are handled in rounds.ts.
 */
export async function followStep(change: Change, { id, part, status }: StepRow): Promise<void> {
  if (part !== 'TRAIN' || status === 'SUCCEEDED') return;
  await moveParticipant(change, id, status === 'QUEUED' ? 'invite' : 'drop');
}

/** Ends the newest round of a federated job before the job ends. */
export async function endRounds(change: Change, job: JobRow, transition: JobTransition): Promise<void> {
  if (!job.isFederated) return;
  const { tx, now } = change;
  await dropOpenParticipants(tx, job.id);
  const [round] = await tx.run(newestRound, { jobId: job.id });
  if (!round || round.finishedAt !== null) return;
  await moveRound(change, job, round, transition === 'fail' ? 'fail' : 'cancel', { finishedAt: now });
}
