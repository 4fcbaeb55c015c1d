/**
 * The catalogue of refusals: every code with what it means, and every sentence that says no.
 *
 * An expected refusal is a `Refusal`: a member of a mutation's result union. What no well-meaning
 * client does is a `RequestRefused`: a top-level error. Either is thrown inside a write, undoes it,
 * and changes nothing. What is wrong with single fields of an input is said where it is checked
 * (checks.ts), what keeps the store from its work, in store/unavailable.ts, and what is wrong with
 * a request before it is executed, in src/server.
 */
import type { JobRow, StepRow } from '../../store/schema/tables.ts';
import { isTerminalJob, type JobStatus, jobStatuses, terminalJobStatuses } from './lifecycle.ts';

/** Codes of expected refusals, as the schema describes them. */
export const errorCodes = {
  NOT_FOUND: 'There is no such thing, or this key may not see it: the two are not told apart.',
  INVALID_INPUT: 'The input breaks a rule; `issues` says where, and which.',
  ALREADY_EXISTS: 'Something else has the name already; `existingId` says what.',
  INVALID_STATE: 'The thing is in a status that does not allow this; `allowed` lists those that would.',
  STALE_LEASE: 'The lease is no longer current: it has expired, was released, or a later attempt holds the step.',
  IDEMPOTENCY_CONFLICT: 'The idempotency key came earlier with another input.',
  QUOTA_EXCEEDED: 'There would be more of them than is allowed.',
} as const;
export type ErrorCode = keyof typeof errorCodes;

/** Codes of top-level errors, in their `extensions.code`. */
export const requestCodes = {
  UNAUTHENTICATED: 'There is no key, or it is no valid one.',
  FORBIDDEN: 'The key may not do this.',
  BAD_REQUEST: 'The request is malformed, or breaks a rule that its types cannot express.',
  NOT_FOUND: 'What the request began with was deleted meanwhile.',
  LIMIT_EXCEEDED: 'More was asked for than is allowed; `extensions.limit` names the limit, if it is one of docs/limits.md.',
  PERSISTED_QUERY_NOT_FOUND: 'A hash came in the place of a document that is not known: send both.',
  DOCUMENT_NOT_TRUSTED: 'Only the documents of a file are executed here, and this is none of them.',
  UNAVAILABLE: 'The store cannot do its work for now; the same request may be answered later.',
  INTERNAL_ERROR: "A fault of the gateway; its log has it under the error's `id`.",
} as const;
export type RequestCode = keyof typeof requestCodes;

/** An expected refusal: one of the members of a mutation's result union. */
export abstract class Refusal extends Error {
  abstract readonly code: ErrorCode;
}

/** It does not exist, or it may not be seen: the two are not told apart. */
export class NotFound extends Refusal {
  readonly code = 'NOT_FOUND';
  readonly id: string;
  constructor(what: string, id: string) {
    super(`There is no ${what} ${id}.`);
    this.id = id;
  }
}

export interface InputIssue {
  /** As in the input: ["items", "2", "value"]. */
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

/** Not expected of a well-meaning client: answered as a top-level error with this code. */
export class RequestRefused extends Error {
  readonly code: RequestCode;
  constructor(code: RequestCode, message: string) {
    super(message);
    this.code = code;
  }
  /** Where GraphQL looks for what goes out with an error, whichever engine executes. */
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

/** INVALID_STATE, by what is in the wrong state. */
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
  /** Of a project or an application, as long as it has a job that has not ended. */
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
  fragmentStartsExperiment: ({ id }: Known, status: string) => invalidState(`Experiment ${id} starts from it.`, status),
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

/** ALREADY_EXISTS, by what has the name. */
export const nameTaken = {
  application: (name: string, existing: Known | undefined) =>
    new AlreadyExists(`There is an application named ${JSON.stringify(name)}.`, existing?.id ?? ''),
  fragment: (filename: string, existing: Known) =>
    new AlreadyExists(`There is a fragment ${filename} already. Choose another filename, or set ifExists to REPLACE.`, existing.id),
};

/** UNAUTHENTICATED. */
export const noKey = () => new RequestRefused('UNAUTHENTICATED', 'This needs a key. Send it as `Authorization: Bearer KEY`.');
/** FORBIDDEN. `what` goes on after "may not". */
export const forbidden = (what: string) => new RequestRefused('FORBIDDEN', `This key may not ${what}.`);
/**
 * NOT_FOUND: it was there when the request began. One request reads more than once, and what it
 * reads next may have been deleted meanwhile.
 */
export const gone = (what: string, id: string) => new RequestRefused('NOT_FOUND', `The ${what} ${id} was deleted in the meantime.`);

const bad = (message: string) => new RequestRefused('BAD_REQUEST', message);

/** BAD_REQUEST. */
export const badRequest = {
  /** A refusal that the result of its mutation does not name. */
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

/** LIMIT_EXCEEDED, of what is no limit of docs/limits.md. */
export const limitExceeded = {
  metrics: (atMost: number) => exceeded(`This job has more than ${atMost} metrics. Ask for some of them with the argument names.`),
  waitingSettings: () => exceeded('Too many jobs are waiting for their settings to be checked against this schema. Try again later.'),
};
