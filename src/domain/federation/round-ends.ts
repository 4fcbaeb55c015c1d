/** The ends of rounds, and of devices' parts in them. */
import { dropOpenParticipants, newestRound } from '../../store/changes/federations.ts';
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import type { Change } from '../core/change.ts';
import type { JobTransition } from '../core/lifecycle.ts';
import { moveParticipant, moveRound } from '../core/transitions.ts';

/** After an attempt at a step ended: where its device stands in the round. What was completed is the round's to judge: see rounds.ts. */
export async function followStep(change: Change, { id, part, status }: StepRow): Promise<void> {
  if (part !== 'TRAIN' || status === 'SUCCEEDED') return;
  await moveParticipant(change, id, status === 'QUEUED' ? 'invite' : 'drop');
}

/** Before a federated job ends, however it does: its round does too. */
export async function endRounds(change: Change, job: JobRow, transition: JobTransition): Promise<void> {
  if (!job.isFederated) return;
  const { tx, now } = change;
  await dropOpenParticipants(tx, job.id);
  const [round] = await tx.run(newestRound, { jobId: job.id });
  if (!round || round.finishedAt !== null) return;
  await moveRound(change, job, round, transition === 'fail' ? 'fail' : 'cancel', { finishedAt: now });
}
