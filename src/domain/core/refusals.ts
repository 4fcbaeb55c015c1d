/**
 * The catalogue of expected refusals: every code with its meaning, and every sentence. They are the
 * members of a mutation's result union. Thrown in a write, a refusal undoes it.
 *
 * request-refusals.ts is the other half of the catalogue: the top-level errors. Problems that the
 * input alone shows are worded in checks.ts, and failures of the store in store/unavailable.ts.
 */
import type { FragmentRow, JobRow, StepRow } from '../../store/schema/tables.ts';
import { isTerminalJob, type JobStatus, jobStatuses, terminalJobStatuses } from './lifecycle.ts';

/** Codes of expected refusals, with their descriptions in the schema. */
export const errorCodes = {
  NOT_FOUND: 'The object does not exist, or this key may not see it. The answer is the same for both.',
  INVALID_INPUT: 'The input breaks a rule. `issues` says which, and at which path.',
  ALREADY_EXISTS: 'The name is already taken. `existingId` is the object that has it.',
  INVALID_STATE: 'The object is in a status that does not allow this. `allowed` lists the statuses that do.',
  STALE_LEASE: 'The lease is no longer current: it has expired, was released, or a later attempt holds the step.',
  IDEMPOTENCY_CONFLICT: 'The idempotency key was used before with another input.',
  QUOTA_EXCEEDED: 'The limit on the number of these objects is reached.',
} as const;
export type ErrorCode = keyof typeof errorCodes;

/** An expected refusal: one of the members of a mutation's result union. */
export abstract class Refusal extends Error {
  abstract readonly code: ErrorCode;
}

/** The object does not exist, or the principal may not see it. The answer is the same. */
export class NotFound extends Refusal {
  readonly code = 'NOT_FOUND';
  readonly id: string;
  constructor(what: string, id: string) {
    super(`There is no ${what} ${id}.`);
    this.id = id;
  }
}

export interface InputIssue {
  /** The path in the input: ["items", "2", "value"]. */
  readonly path: readonly string[];
  readonly message: string;
}

export class InvalidInput extends Refusal {
  readonly code = 'INVALID_INPUT';
  readonly issues: readonly InputIssue[];
  constructor(issues: readonly InputIssue[]) {
    super(issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join(' '));
    this.issues = issues;
  }
}

export class AlreadyExists extends Refusal {
  readonly code = 'ALREADY_EXISTS';
  readonly existingId: string;
  constructor(message: string, existingId: string) {
    super(message);
    this.existingId = existingId;
  }
}

export class InvalidState extends Refusal {
  readonly code = 'INVALID_STATE';
  readonly status: string;
  readonly allowed: readonly string[];
  constructor(message: string, status: string, allowed: readonly string[]) {
    super(message);
    this.status = status;
    this.allowed = allowed;
  }
}

export class StaleLease extends Refusal {
  readonly code = 'STALE_LEASE';
  readonly step: StepRow;
  constructor(step: StepRow, attempt: number) {
    super(
      step.attemptCount > attempt
        ? `Attempt ${attempt} no longer holds this step: attempt ${step.attemptCount} has claimed it since.`
        : `The lease of attempt ${attempt} has ended: the step is ${step.status}.`,
    );
    this.step = step;
  }
}

export class IdempotencyConflict extends Refusal {
  readonly code = 'IDEMPOTENCY_CONFLICT';
  readonly differingPaths: readonly string[];
  constructor(key: string, differingPaths: readonly string[]) {
    super(
      `The idempotency key ${JSON.stringify(key)} was used before with another input. The inputs differ in ${differingPaths.join(', ')}.`,
    );
    this.differingPaths = differingPaths;
  }
}

const invalidState = (message: string, status: string, allowed: readonly string[] = []) => new InvalidState(message, status, allowed);
interface Known {
  readonly id: string;
}
interface Unended extends Known {
  readonly status: JobStatus;
}
type Job = Pick<JobRow, 'status'>;

/** INVALID_STATE. */
export const wrongState = {
  job: ({ status }: Job, allowed: readonly string[]) => invalidState(`The job is ${status}.`, status, allowed),
  jobNotEnded: ({ status }: Job) =>
    invalidState(`The job is ${status}. Only a job that has ended can be retried.`, status, terminalJobStatuses),
  jobEnded: ({ status }: Job) =>
    invalidState(
      `The job is ${status}, so its output cannot be changed any more.`,
      status,
      jobStatuses.filter((one) => !isTerminalJob(one)),
    ),
  jobChanged: ({ status, updatedAt }: Pick<JobRow, 'status' | 'updatedAt'>) =>
    invalidState(`The job was changed at ${updatedAt.toISOString()}. Read it again, and decide anew.`, status),
  jobFederated: ({ status }: Job) => invalidState('The job is federated: only its rounds add steps.', status),
  /** A project or an application with an unfinished job. */
  hasJob: ({ id, status }: Unended) =>
    invalidState(`Its job ${id} is ${status}. Wait until it ends, or cancel it.`, status, terminalJobStatuses),

  step: ({ number, status }: Pick<StepRow, 'number' | 'status'>, allowed: readonly string[]) =>
    invalidState(`Step ${number} is ${status}.`, status, allowed),
  /** A step that nothing can enter: it is not held, or by no device. */
  stepNotRunning: ({ number, status }: Pick<StepRow, 'number' | 'status'>) =>
    invalidState(`Step ${number} is ${status}. Only a step that runs on a device can be entered.`, status, ['RUNNING', 'CANCELLING']),
  noStepRuns: ({ status }: Job) => invalidState(`The job is ${status}, and none of its steps runs on a device.`, status, ['RUNNING']),
  noHttpPort: ({ status }: Job) => invalidState('No running step of the job has an HTTP port. Declare one in container.http.', status),
  round: ({ number, status }: { number: number; status: string }, allowed: readonly string[]) =>
    invalidState(`Round ${number} is ${status}.`, status, allowed),
  participant: ({ status }: { status: string }, allowed: readonly string[]) => invalidState(`The device is ${status}.`, status, allowed),

  fragmentStored: (status: string, allowed: readonly string[]) =>
    invalidState('The bytes of this fragment are already stored.', status, allowed),
  fragmentOfOtherType: (filename: string, type: string, { status }: Job) =>
    invalidState(`There is a fragment ${filename} of type ${type} already. Delete it, so that the output can be stored.`, status),
  fragmentOfNoStep: (status: string) =>
    invalidState('The file that has this filename now does not belong to a step, so a step may not replace it.', status),
  fragmentStartsJob: ({ id, status }: Unended) => invalidState(`Job ${id} starts from this fragment.`, status, terminalJobStatuses),
  fragmentIsCode: ({ id, status }: Unended) => invalidState(`Job ${id} runs the code in this fragment.`, status, terminalJobStatuses),
  codeDeleted: ({ status }: Job) => invalidState('The archive of its code was deleted. Submit the code again.', status),
  fragmentStartsExperiment: ({ id }: Known, status: string) => invalidState(`Experiment ${id} starts from this fragment.`, status),
  fragmentOfRound: ({ number, status }: { number: number; status: string }, allowed: readonly string[]) =>
    invalidState(`Round ${number} of the job needs this fragment.`, status, allowed),
  /** The precondition of an upload or a download. */
  fragmentIsOther: (status: string) => invalidState('If-Match: the fragment does not have this ETag.', status),
  fragmentOfModel: (status: string) => invalidState('This fragment is a version of a model.', status),

  deviceHoldsStep: (status: string) =>
    invalidState('The device holds a step. Drain it, and delete it when it holds none.', status, ['OFFLINE', 'ONLINE']),

  keyEnded: (state: string) => invalidState(`The key is ${state} and cannot be changed any more. Create another.`, state, ['LIVE']),
  joinLinkUsed: (at: Date) => invalidState(`The join link was used at ${at.toISOString()}. Make another one.`, 'USED', ['LIVE']),
  keyReplaced: (by: string) =>
    invalidState(`The key was rotated and ends with the overlap. Change its replacement, ${by}.`, 'REPLACED', ['LIVE']),
  keyReplacementInUse: ({ id }: Known) =>
    invalidState(`The key was rotated already, and its replacement, ${id}, is in use. Rotate that one.`, 'REPLACED', ['LIVE']),
  keyRotatedJustNow: ({ id }: Known, next: Date) =>
    invalidState(
      `The device rotated a key less than a minute ago (the new one is ${id}). It may rotate again at ${next.toISOString()}.`,
      'LIVE',
    ),
};

/** ALREADY_EXISTS. */
export const nameTaken = {
  device: (name: string, { id }: Known) =>
    new AlreadyExists(`There is a device named ${JSON.stringify(name)} already. Choose another name, or delete it.`, id),
  application: (name: string, existing: Known | undefined) =>
    new AlreadyExists(`There is an application named ${JSON.stringify(name)}.`, existing?.id ?? ''),
  fragment: (filename: string, existing: Known) =>
    new AlreadyExists(`There is a fragment ${filename} already. Choose another filename, or set ifExists to REPLACE.`, existing.id),
};

const invalidInput = (path: readonly string[], message: string) => new InvalidInput([{ path, message }]);

/** INVALID_INPUT, where the input is well formed and does not fit what is stored. */
export const wrongInput = {
  idempotencyKey: (atMost: number) => invalidInput(['idempotencyKey'], `must have 1 to ${atMost} characters, none of them NUL.`),
  nestedTooDeep: (path: readonly string[], atMost: number) => invalidInput(path, `must be nested at most ${atMost} deep.`),
  metricNames: (i: number, atMost: number) =>
    invalidInput(
      ['metrics', String(i), 'name'],
      `exceeds the limit of ${atMost} different metrics for all steps of a job. Report fewer metric names.`,
    ),

  applicationName: () => invalidInput(['name'], 'is already the name of an application. Choose another.'),
  deviceName: ({ id }: Known) => invalidInput(['name'], `is the name of device ${id} already. Choose another.`),
  nameOfOtherDevice: () => invalidInput(['name'], "must be the name of the key's own device: a DEVICE key registers no other."),
  keyOfEndedJob: ({ status }: Job) =>
    invalidInput(['jobId'], `must be a job that has not ended: it is ${status}, and the keys of a job end with it.`),

  foreignLease: () =>
    invalidInput(['leaseToken'], 'is not a lease token of this gateway. Use the one that claimStep or claimNextSteps returned.'),
  jobOfOtherLease: () => invalidInput(['jobId'], "must be the job of the lease's step."),
  stepOfOtherLease: () => invalidInput(['stepNumber'], "must be the number of the lease's step."),
  noStep: ({ stepCount }: Pick<JobRow, 'stepCount'>) => invalidInput(['stepNumber'], `The job has ${stepCount} steps, numbered from 0.`),
  severalStepsRun: () => invalidInput(['stepNumber'], 'Several steps of the job run. Name one.'),
  noPinnedDevice: (path: readonly string[], id: string) => invalidInput(path, `There is no device ${id} in the job's project.`),

  noModel: (id: string) => invalidInput(['modelId'], `There is no model ${id} in the project.`),
  noStart: (field: 'startModelId' | 'startModelVersionId', id: string) =>
    invalidInput(
      [field],
      field === 'startModelId'
        ? `There is no model ${id} with a version in the project.`
        : `There is no model version ${id} in the project.`,
    ),
  noContinualTraining: (field: 'startModelId' | 'startModelVersionId') =>
    invalidInput([field], 'needs an application that supports continual training (supportsContinualTraining).'),
  noFragment: (path: readonly string[], id: string) => invalidInput(path, `There is no fragment ${id} in the project.`),
  fragmentIsNoModel: (path: readonly string[], { id, type }: Pick<FragmentRow, 'id' | 'type'>) =>
    invalidInput(path, `The fragment ${id} is of type ${type}. Name a fragment of type MODEL.`),
  fragmentNotUploaded: (path: readonly string[], { id }: Known) => invalidInput(path, `The upload of the fragment ${id} is not complete.`),
  noRepository: () => invalidInput(['code', 'git'], 'needs a project with a gitRepository. Set it with updateProject.'),
  codeTooLarge: (path: readonly string[], bytes: number, atMost: number) =>
    invalidInput(path, `The archive has ${bytes} bytes. The code of a job may have at most ${atMost}.`),

  tooFewDevices: (wanted: number, online: number) =>
    invalidInput(
      ['federation', 'numDevices'],
      `asks for ${wanted} edge devices (with numBufferDevices), but only ${online} that match are online in the project. Ask for fewer, or start more devices.`,
    ),
  noSubmission: () =>
    invalidInput(
      ['leaseToken'],
      'The attempt has submitted no model. Create one with createFragment (type MODEL, with the leaseToken), upload it, then complete the step.',
    ),
  submissionReplaced: () => invalidInput(['leaseToken'], 'Another model was uploaded while this one was checked. Complete the step again.'),

  uploadSize: (announced: number, received: number) =>
    invalidInput(['sizeBytes'], `${announced} bytes were announced, but ${received} were received.`),
  uploadHash: (announced: string, received: string) =>
    invalidInput(['sha256'], `${announced} was announced, but the received bytes have ${received}.`),
};
