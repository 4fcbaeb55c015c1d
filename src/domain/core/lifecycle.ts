/**
 * The lifecycles of jobs, steps, rounds, participants and fragments: one table each.
 *
 * A row is a status, a column is a transition, and a cell is the status it leads to. A transition
 * without a cell is refused. Types, GraphQL enums, CHECK constraints, the compare-and-swap updates
 * and docs/lifecycle.md are made from these tables. Nothing else decides about a status.
 */

/** The status that each transition leads to from each status. */
type Lifecycle = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const jobLifecycle = {
  /** Waits for an earlier job of its experiment. */
  BLOCKED: { unblock: 'QUEUED', cancel: 'CANCELLED', addSteps: 'BLOCKED', update: 'BLOCKED', reconfigure: 'BLOCKED' },
  /** No step has been claimed yet. The maximum duration of a federated job may end before that. */
  QUEUED: {
    start: 'RUNNING',
    succeed: 'SUCCEEDED',
    cancel: 'CANCELLED',
    fail: 'FAILED',
    addSteps: 'QUEUED',
    update: 'QUEUED',
    reconfigure: 'QUEUED',
  },
  /** A step has been claimed, and the job is not done. */
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
   * Preempted: none of its steps runs, and its work is queued again. The maximum duration of a
   * federated job may end meanwhile.
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
   * A cancel was requested, or the run timeout has come (then the job fails). A device still holds
   * a lease.
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
   * Held by a lease. `requeue` covers every return to the queue: a retry, a release, a lost device,
   * an eviction. `prepare` reports progress before and at the start of the command.
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
   * Its device has been told to stop. If it completes anyway, the step SUCCEEDED. `timeOut`: its
   * job exceeded the run timeout.
   */
  CANCELLING: { complete: 'SUCCEEDED', fail: 'CANCELLED', requeue: 'CANCELLED', cancel: 'CANCELLED', timeOut: 'FAILED' },
  SUCCEEDED: {},
  FAILED: {},
  CANCELLED: {},
  SKIPPED: {},
} as const satisfies Lifecycle;

/** The rounds of a federated job. */
export const roundLifecycle = {
  /** Its devices train. */
  TRAINING: { aggregate: 'AGGREGATING', fail: 'FAILED', cancel: 'CANCELLED' },
  /** It has enough models. */
  AGGREGATING: { succeed: 'SUCCEEDED', fail: 'FAILED', cancel: 'CANCELLED' },
  SUCCEEDED: {},
  FAILED: {},
  CANCELLED: {},
} as const satisfies Lifecycle;

/** A device in a round. Its step has a lifecycle of its own, which this one follows. */
export const participantLifecycle = {
  /** Its step has not been claimed. */
  INVITED: { train: 'TRAINING', drop: 'DROPPED' },
  /**
   * It holds its step. `invite`: its step was queued again. `submitLate`: the round has enough
   * models, or is over.
   */
  TRAINING: { submit: 'SUBMITTED', submitLate: 'LATE', invite: 'INVITED', drop: 'DROPPED' },
  SUBMITTED: {},
  LATE: {},
  DROPPED: {},
} as const satisfies Lifecycle;

/** A fragment. One that is created with its text starts as READY. */
export const fragmentLifecycle = {
  /** It was created, but its upload is not complete. */
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
/** The status that this transition leads a job to. Null if it is refused. */
export const nextJobStatus = (status: JobStatus, transition: JobTransition): JobStatus | null => lead(jobLifecycle, status, transition);
/** The status that this transition leads a step to. Null if it is refused. */
export const nextStepStatus = (status: StepStatus, transition: StepTransition): StepStatus | null =>
  lead(stepLifecycle, status, transition);
/** The status that this transition leads a round to. Null if it is refused. */
export const nextRoundStatus = (status: RoundStatus, transition: RoundTransition): RoundStatus | null =>
  lead(roundLifecycle, status, transition);
/** The status that this transition leads a participant to. Null if it is refused. */
export const nextParticipantStatus = (status: ParticipantStatus, transition: ParticipantTransition): ParticipantStatus | null =>
  lead(participantLifecycle, status, transition);
/** The status that this transition leads a fragment to. Null if it is refused. */
export const nextFragmentStatus = (status: FragmentStatus, transition: FragmentTransition): FragmentStatus | null =>
  lead(fragmentLifecycle, status, transition);

/** The statuses in which a job allows this transition: `allowed` in INVALID_STATE. */
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

/** A final status: no transition leads out of it. */
const isEnd = (lifecycle: Lifecycle, status: string) => Object.values(lifecycle[status] ?? {}).every((to) => to === status);
export const terminalJobStatuses = jobStatuses.filter((status) => isEnd(jobLifecycle, status));
export const terminalStepStatuses = stepStatuses.filter((status) => isEnd(stepLifecycle, status));
export const unfinishedJobStatuses = jobStatuses.filter((status) => !terminalJobStatuses.includes(status));
export const unfinishedStepStatuses = stepStatuses.filter((status) => !terminalStepStatuses.includes(status));
export const isTerminalJob = (status: JobStatus): boolean => terminalJobStatuses.includes(status);
export const isTerminalStep = (status: StepStatus): boolean => terminalStepStatuses.includes(status);

/** The statuses of a step under a lease. */
export const heldStepStatuses = stepStatusesThatAllow('complete');
export const isHeldStep = (status: StepStatus): boolean => heldStepStatuses.includes(status);

/** The reason for a status, for programs. */
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

/** How an attempt at a step ended. */
export const attemptOutcomes = ['RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'RELEASED', 'PREEMPTED', 'LOST'] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];
