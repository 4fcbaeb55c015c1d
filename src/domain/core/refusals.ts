/**
 * Every refusal that Trainyard expects, and the sentence that the user reads. A refusal is thrown inside a write, undoes it, and changes nothing.
 */
import type { StepRow } from '../../store/schema/tables.ts';

export const errorCodes = [
  'NOT_FOUND',
  'INVALID_INPUT',
  'ALREADY_EXISTS',
  'INVALID_STATE',
  'STALE_LEASE',
  'IDEMPOTENCY_CONFLICT',
  'QUOTA_EXCEEDED',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

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
        ? `Attempt ${attempt} no longer holds this step: attempt ${step.attemptCount} came after it.`
        : `The lease of attempt ${attempt} has ended: the step is ${step.status}.`,
    );
    this.step = step;
  }
}

export class IdempotencyConflict extends Refusal {
  readonly code = 'IDEMPOTENCY_CONFLICT';
  readonly differingPaths: readonly string[];
  constructor(key: string, differingPaths: readonly string[]) {
    super(`The idempotency key ${JSON.stringify(key)} came earlier with another input; it differs in ${differingPaths.join(', ')}.`);
    this.differingPaths = differingPaths;
  }
}

/** Not expected of a well-meaning client: answered as a top-level error with this code. */
export class RequestRefused extends Error {
  readonly code: 'UNAUTHENTICATED' | 'FORBIDDEN' | 'BAD_REQUEST' | 'NOT_FOUND' | 'LIMIT_EXCEEDED';
  constructor(code: RequestRefused['code'], message: string) {
    super(message);
    this.code = code;
  }
  /** Where GraphQL looks for what goes out with an error, whichever engine executes. */
  get extensions(): { readonly code: RequestRefused['code'] } {
    return { code: this.code };
  }
}
/** It was there when the request began. One request reads more than once, and what it reads next may have been deleted meanwhile. */
export const gone = (what: string, id: string) => new RequestRefused('NOT_FOUND', `The ${what} ${id} was deleted meanwhile.`);
export const forbidden = (what: string) => new RequestRefused('FORBIDDEN', `This key may not ${what}.`);
