/** Refusals as GraphQL types, and mutations that return their payload or a refusal. */
import type { InputObjectRef, ObjectRef } from '@pothos/core';
import type { Principal } from '../../domain/access/principal.ts';
import type { Domain } from '../../domain/core/domain.ts';
import {
  AlreadyExists,
  type ErrorCode as Code,
  errorCodes,
  IdempotencyConflict,
  InvalidInput,
  InvalidState,
  type InputIssue as Issue,
  NotFound,
  Refusal,
  StaleLease,
} from '../../domain/core/refusals.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { requireWellFormed } from '../../domain/core/text.ts';
import { builder, type SchemaTypes } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { describeEnum } from './enums.ts';
import { Step } from './nouns.ts';
import { IN_ITS_ROW } from './sizes.ts';

const ErrorCode = describeEnum<Code>(
  'ErrorCode',
  'The kind of a refusal, for programs. The `message` next to it is for people.',
  errorCodes,
);

const ErrorInterface = builder.interfaceRef<Refusal>('Error').implement({
  description: 'A refusal that a mutation can return. Nothing was changed. `... on Error { code message }` handles all kinds at once.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCode, description: 'The kind of refusal.' }),
    message: t.exposeString('message', { description: 'A sentence for people. Its wording may change, so programs should read `code`.' }),
  }),
});

const InputIssue = builder.objectRef<Issue>('InputIssue').implement({
  description: 'One thing that is wrong with the input.',
  fields: (t) => ({
    path: t.exposeStringList('path', { description: 'The path within the input: `["items", "2", "value"]`.' }),
    message: t.exposeString('message', { description: 'What is wrong with the value, and what is allowed.' }),
  }),
});

builder.objectType(NotFound, {
  name: 'NotFoundError',
  description: 'Nothing has this id, or this key may not see it.',
  interfaces: [ErrorInterface],
  fields: (t) => ({ id: t.exposeID('id', { description: 'The id that was requested.' }) }),
});

builder.objectType(InvalidInput, {
  name: 'InvalidInputError',
  description: 'The input breaks rules that its types cannot express.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    issues: t.expose('issues', {
      type: [InputIssue],
      size: IN_ITS_ROW,
      description: 'Everything that is wrong, in the order of the input.',
    }),
  }),
});

builder.objectType(AlreadyExists, {
  name: 'AlreadyExistsError',
  description: 'The name is taken.',
  interfaces: [ErrorInterface],
  fields: (t) => ({ existingId: t.exposeID('existingId', { description: 'The id of what has the name.' }) }),
});

builder.objectType(InvalidState, {
  name: 'InvalidStateError',
  description: 'The current status does not allow this change.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    status: t.exposeString('status', { description: 'The current status.' }),
    allowed: t.exposeStringList('allowed', { description: 'The statuses that allow the change.' }),
  }),
});

builder.objectType(StaleLease, {
  name: 'StaleLeaseError',
  description:
    'The lease has expired or was released, or another attempt holds the step now. The caller should stop working on the step: ' +
    'nothing more that it reports is stored.',
  interfaces: [ErrorInterface],
  fields: (t) => ({ step: t.expose('step', { type: Step, description: 'The step as it is now.' }) }),
});

builder.objectType(IdempotencyConflict, {
  name: 'IdempotencyConflictError',
  description: 'The idempotency key was used before with a different input. Keys are kept for a week.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    differingPaths: t.exposeStringList('differingPaths', { description: 'Where the two inputs differ, as dot paths.' }),
  }),
});

// biome-ignore lint/suspicious/noExplicitAny: refusals take arguments of their own
type RefusalClass = new (...args: any[]) => Refusal;
const typeNames = new Map<RefusalClass, string>([
  [NotFound, 'NotFoundError'],
  [InvalidInput, 'InvalidInputError'],
  [AlreadyExists, 'AlreadyExistsError'],
  [InvalidState, 'InvalidStateError'],
  [StaleLease, 'StaleLeaseError'],
  [IdempotencyConflict, 'IdempotencyConflictError'],
]);

/**
 * Counts a refusal. One that is not among `refusals` is a malformed request: BAD_REQUEST with the
 * refusal's message. Other errors stay as they are.
 */
export function answerTo(
  error: unknown,
  { mutation, refusals, domain }: { mutation: string; refusals: readonly RefusalClass[]; domain: Domain },
): unknown {
  if (!(error instanceof Refusal)) return error;
  domain.instruments.refusals.of({ mutation, code: error.code }).add();
  return refusals.some((refusal) => error instanceof refusal) ? error : badRequest.unexpected(error);
}

export interface MutationOptions<I extends object, P extends object> {
  readonly description: string;
  readonly input: InputObjectRef<SchemaTypes, I>;
  readonly payload: ObjectRef<SchemaTypes, P>;
  /**
   * The refusals that the mutation can return. Together with the payload, they are the members of
   * its result union.
   */
  readonly refusals: readonly [RefusalClass, ...RefusalClass[]];
  /**
   * Input fields whose text the domain repairs, because a device does not control what a program
   * prints. All other text must be well-formed.
   */
  readonly repairs?: readonly string[];
  /** The domain's function. It returns the payload. */
  decide(domain: Domain, principal: Principal, input: I, context: Context): Promise<P>;
}

/**
 * Adds the mutation `name(input: …): NameResult!`. It clears the loaders, so that the fields of the
 * payload show the state after the mutation. A refusal that the union does not name is a malformed
 * request: a top-level BAD_REQUEST with the refusal's message.
 */
export function defineMutation<I extends object, P extends object>(name: string, options: MutationOptions<I, P>): void {
  const { description, refusals, repairs, decide } = options;
  // Casts here and below: Pothos's conditional types do not resolve over type parameters.
  const payload = options.payload as unknown as ObjectRef<SchemaTypes, object>;
  const input = options.input as unknown as InputObjectRef<SchemaTypes, object>;
  const members = refusals.map((refusal) => typeNames.get(refusal) ?? refusal.name);
  builder.mutationField(name, (t) =>
    t.field({
      type: payload,
      description,
      args: { input: t.arg({ type: input, required: true, description: 'The input of the mutation.' }) },
      errors: {
        types: [...refusals],
        union: {
          name: `${name.charAt(0).toUpperCase()}${name.slice(1)}Result`,
          description: `What ${name} returns: its payload, or ${members.join(', ')}.`,
        },
      },
      resolve: async (_, args, context) => {
        try {
          requireWellFormed(args.input, repairs);
          return await decide(context.domain, viewerOf(context), args.input as I, context);
        } catch (error) {
          throw answerTo(error, { mutation: name, refusals, domain: context.domain });
        } finally {
          context.loaders.clear();
        }
      },
    }),
  );
}
