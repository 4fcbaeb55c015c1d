/**
 * The catalogue of refusals: every code with its meaning, and every refusal's sentence.
 *
 * An expected refusal is a `Refusal`: a member of a mutation's result union. One that a correct
 * client never causes is a `RequestRefused`: a top-level error. Either can be thrown in a write. It
 * undoes the write, and nothing changes. Problems with single fields of an input are in checks.ts,
 * failures of the store in store/unavailable.ts, and refusals before execution in src/server.
 */
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
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

/** Codes of top-level errors, in `extensions.code`. */
export const requestCodes = {
  UNAUTHENTICATED: 'The request has no key, or its key is not valid.',
  FORBIDDEN: 'The key may not do this.',
  BAD_REQUEST: 'The request is malformed, or breaks a rule that its types cannot express.',
  NOT_FOUND: 'An object that the request reads was deleted in the meantime.',
  LIMIT_EXCEEDED: 'The request exceeds a limit. `extensions.limit` names it, if it is one of docs/limits.md.',
  PERSISTED_QUERY_NOT_FOUND: 'The request has the hash of an unknown document. Send the document as well.',
  DOCUMENT_NOT_TRUSTED: 'The gateway executes only the documents of a file, and this one is not in it.',
  UNAVAILABLE: 'The store does not work at present. The same request may succeed later.',
  INTERNAL_ERROR: "A fault of the gateway. Its log has the details under the error's `id`.",
} as const;
export type RequestCode = keyof typeof requestCodes;

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

/** A refusal that a correct client never causes. The answer is a top-level error with this code. */
export class RequestRefused extends Error {
  readonly code: RequestCode;
  constructor(code: RequestCode, message: string) {
    super(message);
    this.code = code;
  }
  /** GraphQL sends these extensions with the error, whichever engine executes. */
  get extensions(): { readonly code: RequestCode } {
    return { code: this.code };
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
  round: ({ number, status }: { number: number; status: string }, allowed: readonly string[]) =>
    invalidState(`Round ${number} is ${status}.`, status, allowed),
  participant: ({ status }: { status: string }, allowed: readonly string[]) => invalidState(`The device is ${status}.`, status, allowed),

  fragmentStored: (status: string, allowed: readonly string[]) =>
    invalidState('The bytes of this fragment are stored already.', status, allowed),
  fragmentOfOtherType: (filename: string, type: string, { status }: Job) =>
    invalidState(`There is a fragment ${filename} of type ${type} already. Delete it, so that the output can be stored.`, status),
  fragmentOfNoStep: (status: string) =>
    invalidState('The file that has this filename now does not belong to a step, so a step may not replace it.', status),
  fragmentStartsJob: ({ id, status }: Unended) => invalidState(`Job ${id} starts from this fragment.`, status, terminalJobStatuses),
  fragmentStartsExperiment: ({ id }: Known, status: string) => invalidState(`Experiment ${id} starts from this fragment.`, status),
  fragmentOfRound: ({ number, status }: { number: number; status: string }, allowed: readonly string[]) =>
    invalidState(`Round ${number} of the job needs this fragment.`, status, allowed),
  fragmentOfModel: (status: string) => invalidState('This fragment is a version of a model.', status),

  deviceHoldsStep: (status: string) =>
    invalidState('The device holds a step. Drain it, and delete it when it holds none.', status, ['OFFLINE', 'ONLINE']),

  keyEnded: (state: string) => invalidState(`The key is ${state} and cannot be changed any more. Create another.`, state, ['LIVE']),
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
  application: (name: string, existing: Known | undefined) =>
    new AlreadyExists(`There is an application named ${JSON.stringify(name)}.`, existing?.id ?? ''),
  fragment: (filename: string, existing: Known) =>
    new AlreadyExists(`There is a fragment ${filename} already. Choose another filename, or set ifExists to REPLACE.`, existing.id),
};

/** UNAUTHENTICATED. */
export const noKey = () => new RequestRefused('UNAUTHENTICATED', 'This needs a key. Send it as `Authorization: Bearer KEY`.');
/** FORBIDDEN. `what` continues "may not". */
export const forbidden = (what: string) => new RequestRefused('FORBIDDEN', `This key may not ${what}.`);
/**
 * NOT_FOUND for an object that existed when the request began. A request reads more than once, and
 * the object may be deleted in between.
 */
export const gone = (what: string, id: string) => new RequestRefused('NOT_FOUND', `The ${what} ${id} was deleted in the meantime.`);

const bad = (message: string) => new RequestRefused('BAD_REQUEST', message);

/** BAD_REQUEST. */
export const badRequest = {
  /** A refusal that is not in the result union of its mutation. */
  unexpected: ({ message }: Refusal) => bad(message),
  noJob: (argument: string, id: string) => bad(`${argument}: there is no job ${id}.`),
  noJobInProject: (argument: string, id: string, projectId: string) => bad(`${argument}: there is no job ${id} in project ${projectId}.`),
  noProject: (argument: string, id: string) => bad(`${argument}: there is no project ${id}.`),
  noDevice: (argument: string, id: string) => bad(`${argument}: there is no device ${id}.`),
  outOfRange: (argument: string, atLeast: number, atMost: number, got: number) =>
    bad(`${argument} must be from ${atLeast} to ${atMost}; got ${got}.`),
  tooSmall: (argument: string, atLeast: number, got: number) => bad(`${argument} must be at least ${atLeast}; got ${got}.`),
  tooManyEntries: (argument: string, atMost: number) => bad(`${argument}: at most ${atMost} entries.`),
  firstAndLast: () => bad('Give first or last, not both.'),
  foreignPageCursor: () => bad('after and before: this cursor was not returned by this list. Use a cursor from its edges or pageInfo.'),
  foreignStreamCursor: () =>
    bad('after: this cursor was not returned by this stream. Use one from its frames, or leave it out to start from the beginning.'),
  nulInId: () => bad('An id in the input contains the character NUL.'),
};

const exceeded = (message: string) => new RequestRefused('LIMIT_EXCEEDED', message);

/** LIMIT_EXCEEDED, for limits that are not in docs/limits.md. */
export const limitExceeded = {
  metrics: (atMost: number) => exceeded(`This job has more than ${atMost} metrics. Ask for some of them with the argument names.`),
  waitingSettings: () => exceeded('Too many jobs are waiting for their settings to be checked against this schema. Try again later.'),
};
