/**
 * What can become of a job, a step, a round, a participant and a fragment: a table for each.
 *
 * A row is a status, a column is something that can happen, a cell says where it leads. A blank is
 * refused. Types, GraphQL enums, CHECK constraints, the compare-and-swap updates and
 * docs/lifecycle.md are made from these literals; nothing else decides about a status.
 */

/** Where each transition leads from each status. */
type Lifecycle = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const jobLifecycle = {
  /** Waits for an earlier job of its experiment. */
  BLOCKED: { unblock: 'QUEUED', cancel: 'CANCELLED', addSteps: 'BLOCKED', update: 'BLOCKED', reconfigure: 'BLOCKED' },
  /**
   * No step has been claimed yet. A federated job can come to the end of its duration before one
   * is.
   */
  QUEUED: {
    start: 'RUNNING',
    succeed: 'SUCCEEDED',
    cancel: 'CANCELLED',
    fail: 'FAILED',
    addSteps: 'QUEUED',
    update: 'QUEUED',
    reconfigure: 'QUEUED',
  },
  /** A step has been claimed, and there is more to do. */
  RUNNING: {
    start: 'RUNNING',
    suspend: 'SUSPENDED',
    succeed: 'SUCCEEDED',
    fail: 'FAILED',
    requestCancel: 'CANCELLING',
    cancel: 'CANCELLED',
    addSteps: 'RUNNING',
    update: 'RUNNING',
  },
  /**
   * Preempted: nothing of it runs, its work is queued again. The duration of a federated job can be
   * over meanwhile.
   */
  SUSPENDED: {
    start: 'RUNNING',
    succeed: 'SUCCEEDED',
    fail: 'FAILED',
    cancel: 'CANCELLED',
    addSteps: 'SUSPENDED',
    update: 'SUSPENDED',
  },
  /**
   * Cancel was asked for, or its run timeout has come (then it fails); a device still holds a
   * lease.
   */
  CANCELLING: { requestCancel: 'CANCELLING', cancel: 'CANCELLED', fail: 'FAILED', update: 'CANCELLING' },
  SUCCEEDED: { update: 'SUCCEEDED', delete: 'SUCCEEDED' },
  FAILED: { update: 'FAILED', delete: 'FAILED' },
  CANCELLED: { update: 'CANCELLED', delete: 'CANCELLED' },
} as const satisfies Lifecycle;

export const stepLifecycle = {
  /** Waits for an earlier step. */
  BLOCKED: { unblock: 'QUEUED', skip: 'SKIPPED' },
  /**
   * Can be claimed. `cancel` is for a step that was tried before, `skip` for one that never ran.
   */
  QUEUED: { claim: 'RUNNING', fail: 'FAILED', skip: 'SKIPPED', cancel: 'CANCELLED' },
  /**
   * A lease holds it. `requeue` is every way back: a retry, a release, a lost device, a preemption.
   * `prepare` is what its device does before and as the command begins.
   */
  RUNNING: {
    prepare: 'RUNNING',
    complete: 'SUCCEEDED',
    fail: 'FAILED',
    requeue: 'QUEUED',
    requestCancel: 'CANCELLING',
    cancel: 'CANCELLED',
  },
  /**
   * Its device has been told to stop. Work that was finished all the same is recorded as what it
   * is. `timeOut`: because its job ran for too long.
   */
  CANCELLING: { complete: 'SUCCEEDED', fail: 'CANCELLED', requeue: 'CANCELLED', cancel: 'CANCELLED', timeOut: 'FAILED' },
  SUCCEEDED: {},
  FAILED: {},
  CANCELLED: {},
  SKIPPED: {},
} as const satisfies Lifecycle;

/** Of a federated job. */
export const roundLifecycle = {
  /** Its devices train. */
  TRAINING: { aggregate: 'AGGREGATING', fail: 'FAILED', cancel: 'CANCELLED' },
  /** It has as many models as it needs. */
  AGGREGATING: { succeed: 'SUCCEEDED', fail: 'FAILED', cancel: 'CANCELLED' },
  SUCCEEDED: {},
  FAILED: {},
  CANCELLED: {},
} as const satisfies Lifecycle;

/**
 * A device in a round. Its step has a lifecycle of its own: what happens to that is followed here.
 */
export const participantLifecycle = {
  /** Its step waits for it. */
  INVITED: { train: 'TRAINING', drop: 'DROPPED' },
  /**
   * It holds its step. `invite`: its step went back to the queue. `submitLate`: the round has what
   * it needs, or is over.
   */
  TRAINING: { submit: 'SUBMITTED', submitLate: 'LATE', invite: 'INVITED', drop: 'DROPPED' },
  SUBMITTED: {},
  LATE: {},
  DROPPED: {},
} as const satisfies Lifecycle;

/** A file. One that is created with its text begins as READY. */
export const fragmentLifecycle = {
  /** It was announced; its bytes are not all here. */
  PENDING: { store: 'READY' },
  READY: {},
} as const satisfies Lifecycle;

type Transitions<L extends Lifecycle> = { [S in keyof L]: keyof L[S] }[keyof L] & string;

export type JobStatus = keyof typeof jobLifecycle;
export type JobTransition = Transitions<typeof jobLifecycle>;
export type StepStatus = keyof typeof stepLifecycle;
export type StepTransition = Transitions<typeof stepLifecycle>;
export type RoundStatus = keyof typeof roundLifecycle;
export type RoundTransition = Transitions<typeof roundLifecycle>;
export type ParticipantStatus = keyof typeof participantLifecycle;
export type ParticipantTransition = Transitions<typeof participantLifecycle>;
export type FragmentStatus = keyof typeof fragmentLifecycle;
export type FragmentTransition = Transitions<typeof fragmentLifecycle>;

const statusesOf = <S extends string>(lifecycle: Readonly<Record<S, unknown>>) => Object.keys(lifecycle) as [S, ...S[]]; // keys of a literal
export const jobStatuses = statusesOf<JobStatus>(jobLifecycle);
export const stepStatuses = statusesOf<StepStatus>(stepLifecycle);
export const roundStatuses = statusesOf<RoundStatus>(roundLifecycle);
export const participantStatuses = statusesOf<ParticipantStatus>(participantLifecycle);
export const fragmentStatuses = statusesOf<FragmentStatus>(fragmentLifecycle);

function lead<S extends string>(lifecycle: Lifecycle, status: S, transition: string): S | null {
  return (lifecycle[status]?.[transition] as S | undefined) ?? null; // a table leads to statuses of its own, see test/domain/core/lifecycle.test.ts
}
/** Where this leads a job, or null when it is refused. */
export const nextJobStatus = (status: JobStatus, transition: JobTransition): JobStatus | null => lead(jobLifecycle, status, transition);
/** Where this leads a step, or null when it is refused. */
export const nextStepStatus = (status: StepStatus, transition: StepTransition): StepStatus | null =>
  lead(stepLifecycle, status, transition);
/** Where this leads a round, or null when it is refused. */
export const nextRoundStatus = (status: RoundStatus, transition: RoundTransition): RoundStatus | null =>
  lead(roundLifecycle, status, transition);
/** Where this leads a participant, or null when it is refused. */
export const nextParticipantStatus = (status: ParticipantStatus, transition: ParticipantTransition): ParticipantStatus | null =>
  lead(participantLifecycle, status, transition);
/** Where this leads a fragment, or null when it is refused. */
export const nextFragmentStatus = (status: FragmentStatus, transition: FragmentTransition): FragmentStatus | null =>
  lead(fragmentLifecycle, status, transition);

/** The statuses in which this can happen to a job: what an INVALID_STATE refusal names. */
export const jobStatusesThatAllow = (transition: JobTransition): JobStatus[] =>
  jobStatuses.filter((status) => nextJobStatus(status, transition) !== null);
export const stepStatusesThatAllow = (transition: StepTransition): StepStatus[] =>
  stepStatuses.filter((status) => nextStepStatus(status, transition) !== null);
export const roundStatusesThatAllow = (transition: RoundTransition): RoundStatus[] =>
  roundStatuses.filter((status) => nextRoundStatus(status, transition) !== null);
export const participantStatusesThatAllow = (transition: ParticipantTransition): ParticipantStatus[] =>
  participantStatuses.filter((status) => nextParticipantStatus(status, transition) !== null);
export const fragmentStatusesThatAllow = (transition: FragmentTransition): FragmentStatus[] =>
  fragmentStatuses.filter((status) => nextFragmentStatus(status, transition) !== null);

/** A status in which nothing more can happen by itself: no transition leads out of it. */
const isEnd = (lifecycle: Lifecycle, status: string) => Object.values(lifecycle[status] ?? {}).every((to) => to === status);
export const terminalJobStatuses = jobStatuses.filter((status) => isEnd(jobLifecycle, status));
export const terminalStepStatuses = stepStatuses.filter((status) => isEnd(stepLifecycle, status));
export const unfinishedJobStatuses = jobStatuses.filter((status) => !terminalJobStatuses.includes(status));
export const unfinishedStepStatuses = stepStatuses.filter((status) => !terminalStepStatuses.includes(status));
export const isTerminalJob = (status: JobStatus): boolean => terminalJobStatuses.includes(status);
export const isTerminalStep = (status: StepStatus): boolean => terminalStepStatuses.includes(status);

/** A lease holds the step. */
export const heldStepStatuses = stepStatusesThatAllow('complete');
export const isHeldStep = (status: StepStatus): boolean => heldStepStatuses.includes(status);

/** Why something is in its status, for programs. */
export const statusReasons = [
  'CREATED',
  'BLOCKED_BY_STEP',
  'BLOCKED_BY_JOB',
  'CLAIMED',
  'COMPLETED',
  'DEVICE_REPORTED',
  'EXIT_CODE',
  'USER_REQUESTED',
  'LEASE_EXPIRED',
  'ATTEMPTS_EXHAUSTED',
  'SCHEDULE_TIMEOUT',
  'RUN_TIMEOUT',
  'CANCEL_TIMEOUT',
  'PREEMPTED',
  'RELEASED',
  'QUORUM_REACHED',
  'QUORUM_UNREACHABLE',
  'TERMINATION_CRITERION',
  'CONTAINER_CREATING',
  'CONTAINER_STARTED',
  'IMAGE_PULL_FAILED',
  'OUT_OF_MEMORY',
  'JOB_ENDED',
] as const;
export type StatusReason = (typeof statusReasons)[number];

/** How one try at a step ended. */
export const attemptOutcomes = ['RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'RELEASED', 'PREEMPTED', 'LOST'] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];
