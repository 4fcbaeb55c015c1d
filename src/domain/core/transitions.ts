/**
 * The only place that sets a status. A change reads the row; the lifecycle table says where a
 * transition leads; the row is saved by compare-and-swap; the event is stored in the same
 * transaction.
 *
 * Rows are locked in one order everywhere: steps by number, then their job, then its streams. So
 * PostgreSQL has no deadlocks to break.
 */
import { participantOfStep, saveParticipant, saveRound } from '../../store/changes/federations.ts';
import { saveFragment } from '../../store/changes/fragments.ts';
import { saveJob, saveJobFields } from '../../store/changes/jobs.ts';
import { saveStep } from '../../store/changes/steps.ts';
import type { FragmentRow, JobRow, ParticipantRow, RoundRow, StepRow } from '../../store/schema/tables.ts';
import { type Change, record, topics } from './change.ts';
import {
  type FragmentTransition,
  fragmentStatusesThatAllow,
  type JobTransition,
  jobStatusesThatAllow,
  nextFragmentStatus,
  nextJobStatus,
  nextParticipantStatus,
  nextRoundStatus,
  nextStepStatus,
  type ParticipantTransition,
  participantStatusesThatAllow,
  type RoundTransition,
  roundStatusesThatAllow,
  type StatusReason,
  type StepTransition,
  stepStatusesThatAllow,
} from './lifecycle.ts';
import { wrongState } from './refusals.ts';

/** The cause of a status change: the reason for programs, the description for people. */
export interface Cause {
  readonly reason: StatusReason;
  readonly description?: string;
  readonly exitCode?: number | null;
}

/** Moves a step and changes other columns with it. Throws InvalidState if the table refuses. */
export async function moveStep(
  change: Change,
  step: StepRow,
  transition: StepTransition,
  { reason, description = '', exitCode = null }: Cause,
  columns: Partial<StepRow> = {},
): Promise<StepRow> {
  const to = nextStepStatus(step.status, transition);
  const moved: StepRow = { ...step, ...columns, status: to ?? step.status };
  const refuse = () => {
    throw wrongState.step(step, stepStatusesThatAllow(transition));
  };
  if (to === null) return refuse();
  await saveStep(change.tx, step, moved, refuse);
  if (step.status === 'QUEUED') {
    change.tx.touch(topics.taken);
    // The capacity that was reserved for it there is free.
    if (step.reservedDeviceId !== null) change.tx.touch(topics.device(step.reservedDeviceId));
  }
  change.count(() => change.domain.instruments.stepChanges.of({ to, reason }).add());
  record(
    change,
    { id: step.jobId, projectId: step.projectId },
    {
      type: 'STEP_STATUS_CHANGED',
      stepId: step.id,
      from: step.status,
      to,
      attempt: moved.attemptCount > 0 ? moved.attemptCount : null,
      reason,
      description,
      exitCode,
    },
  );
  return moved;
}

/**
 * Moves a job and changes other columns with it. A transition to the same status stores no event.
 * Throws InvalidState if the table refuses.
 */
export async function moveJob(
  change: Change,
  job: JobRow,
  transition: JobTransition,
  { reason, description = '', exitCode = null }: Cause,
  columns: Partial<JobRow> = {},
): Promise<JobRow> {
  const to = nextJobStatus(job.status, transition);
  const isMove = to !== job.status;
  const changed: Partial<JobRow> = {
    ...(isMove ? { reason, reasonDescription: description, exitCode } : {}),
    updatedAt: later(change.now, job.updatedAt),
    ...columns,
    status: to ?? job.status,
  };
  const moved = { ...job, ...changed };
  const refuse = () => {
    throw wrongState.job(job, jobStatusesThatAllow(transition));
  };
  if (to === null) return refuse();
  await saveJob(change.tx, job, moved, refuse);
  noteJob(change, job.id, changed);
  if (isMove) {
    change.count(() => change.domain.instruments.jobChanges.of({ to, reason }).add());
    record(change, job, { type: 'JOB_STATUS_CHANGED', from: job.status, to, reason, description, exitCode });
  }
  return moved;
}

/** Saves columns of a job that are not part of its lifecycle. */
export async function setJobFields(change: Change, id: string, fields: Partial<JobRow>): Promise<void> {
  await saveJobFields(change.tx, id, fields);
  noteJob(change, id, fields);
}

/** Keeps the locked job as it is stored. */
function noteJob({ jobs }: Change, id: string, columns: Partial<JobRow>): void {
  const locked = jobs.get(id);
  if (locked) jobs.set(id, { ...locked, ...columns });
}

/**
 * Moves a round, changes other columns with it, and stores the event. Throws InvalidState if the
 * table refuses.
 */
export async function moveRound(
  change: Change,
  job: JobRow,
  round: RoundRow,
  transition: RoundTransition,
  columns: Partial<RoundRow> = {},
): Promise<RoundRow> {
  const to = nextRoundStatus(round.status, transition);
  if (to === null || !(await saveRound(change.tx, round, { ...columns, status: to }))) {
    throw wrongState.round(round, roundStatusesThatAllow(transition));
  }
  record(change, job, { type: 'ROUND_CHANGED', from: round.status, to, details: [String(round.number)] });
  return { ...round, ...columns, status: to };
}

/**
 * Moves the participant of a training step and changes other columns with it. Throws InvalidState
 * if the table refuses.
 */
export async function moveParticipant(
  { tx }: Change,
  stepId: string,
  transition: ParticipantTransition,
  columns: Partial<ParticipantRow> = {},
): Promise<void> {
  const [participant] = await tx.run(participantOfStep, { stepId });
  if (!participant) throw new Error(`Training step ${stepId} has no participant.`);
  const to = nextParticipantStatus(participant.status, transition);
  if (to === null || !(await saveParticipant(tx, participant, { ...columns, status: to }))) {
    throw wrongState.participant(participant, participantStatusesThatAllow(transition));
  }
}

/** Moves a fragment and changes other columns with it. Throws InvalidState if the table refuses. */
export async function moveFragment(
  { tx }: Change,
  fragment: FragmentRow,
  transition: FragmentTransition,
  columns: Partial<FragmentRow> = {},
): Promise<FragmentRow> {
  const to = nextFragmentStatus(fragment.status, transition);
  const moved: FragmentRow = { ...fragment, ...columns, status: to ?? fragment.status };
  if (to === null || !(await saveFragment(tx, fragment, moved))) {
    throw wrongState.fragmentStored(fragment.status, fragmentStatusesThatAllow(transition));
  }
  return moved;
}

/**
 * The time of a change, always later than that of the change before, even if the clock stands still
 * or goes back: `expectedUpdatedAt` tells changes apart by it.
 */
export function later(now: Date, before: Date): Date {
  return now > before ? now : new Date(before.getTime() + 1);
}
