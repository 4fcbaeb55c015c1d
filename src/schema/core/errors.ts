/** Refusals as types, and mutations that answer with their payload or with one of them. */
import type { InputObjectRef, ObjectRef } from '@pothos/core';
import type { Principal } from '../../domain/access/principal.ts';
import type { Domain } from '../../domain/core/domain.ts';
import {
  AlreadyExists,
  badRequest,
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
import { requireWellFormed } from '../../domain/core/text.ts';
import { builder, type SchemaTypes } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { describeEnum } from './enums.ts';
import { Step } from './nouns.ts';
import { IN_ITS_ROW } from './sizes.ts';

const ErrorCode = describeEnum<Code>(
  'ErrorCode',
  'What kind of refusal it is, for programs. The message beside it is for people.',
  errorCodes,
);

const ErrorInterface = builder.interfaceRef<Refusal>('Error').implement({
  description: 'An expected refusal of a mutation: nothing was changed. `... on Error { code message }` handles all kinds at once.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCode, description: 'What kind of refusal it is.' }),
    message: t.exposeString('message', { description: 'A sentence for people. Its wording may change; programs read `code`.' }),
  }),
});

const InputIssue = builder.objectRef<Issue>('InputIssue').implement({
  description: 'One thing that is wrong with the input.',
  fields: (t) => ({
    path: t.exposeStringList('path', { description: 'Where, from the input downwards: `["items", "2", "value"]`.' }),
    message: t.exposeString('message', { description: 'What is wrong there, and what would be right.' }),
  }),
});

builder.objectType(NotFound, {
  name: 'NotFoundError',
  description: 'There is nothing with this id, or this key may not see it.',
  interfaces: [ErrorInterface],
  fields: (t) => ({ id: t.exposeID('id', { description: 'The id that was asked for.' }) }),
});

builder.objectType(InvalidInput, {
  name: 'InvalidInputError',
  description: 'The input breaks rules that its types cannot express.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    issues: t.expose('issues', { type: [InputIssue], size: IN_ITS_ROW, description: 'All that is wrong, in the order of the input.' }),
  }),
});

builder.objectType(AlreadyExists, {
  name: 'AlreadyExistsError',
  description: 'The name is taken.',
  interfaces: [ErrorInterface],
  fields: (t) => ({ existingId: t.exposeID('existingId', { description: 'The id of what has it.' }) }),
});

builder.objectType(InvalidState, {
  name: 'InvalidStateError',
  description: 'The thing is in a status that does not allow this.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    status: t.exposeString('status', { description: 'The status that it is in.' }),
    allowed: t.exposeStringList('allowed', { description: 'The statuses that would have allowed it.' }),
  }),
});

builder.objectType(StaleLease, {
  name: 'StaleLeaseError',
  description:
    'The lease has expired, was released, or another attempt holds the step now. Whoever gets this stops working on the step: nothing that it reports is kept.',
  interfaces: [ErrorInterface],
  fields: (t) => ({ step: t.expose('step', { type: Step, description: 'The step as it is now.' }) }),
});

builder.objectType(IdempotencyConflict, {
  name: 'IdempotencyConflictError',
  description: 'The same idempotency key came earlier with another input. Keys are kept for a week.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    differingPaths: t.exposeStringList('differingPaths', { description: 'Where the two inputs differ, as dot paths.' }),
  }),
});

// biome-ignore lint/suspicious/noExplicitAny: refusals are made with arguments of their own, none of which matter here
type RefusalClass = new (...args: any[]) => Refusal;
const typeNames = new Map<RefusalClass, string>([
  [NotFound, 'NotFoundError'],
  [InvalidInput, 'InvalidInputError'],
  [AlreadyExists, 'AlreadyExistsError'],
  [InvalidState, 'InvalidStateError'],
  [StaleLease, 'StaleLeaseError'],
  [IdempotencyConflict, 'IdempotencyConflictError'],
]);

export interface MutationOptions<I extends object, P extends object> {
  readonly description: string;
  readonly input: InputObjectRef<SchemaTypes, I>;
  readonly payload: ObjectRef<SchemaTypes, P>;
  /** The refusals that clients are to expect: with the payload, the members of the result's union. */
  readonly refusals: readonly [RefusalClass, ...RefusalClass[]];
  /** Fields of the input whose text the domain repairs: what a program prints is not its reporter's doing. All other text has to be well-formed. */
  readonly repairs?: readonly string[];
  /** The domain's function. What it returns is the payload. */
  decide(domain: Domain, principal: Principal, input: I, context: Context): Promise<P>;
}

/**
 * Adds the mutation `name(input: …): NameResult!`. What loaders had read is forgotten, so that the payload's fields show what the mutation
 * left. A refusal that the union does not name is a malformed request: a top-level BAD_REQUEST with the refusal's message.
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
      args: { input: t.arg({ type: input, required: true, description: 'What to do, and to what.' }) },
      errors: {
        types: [...refusals],
        union: {
          name: `${name.charAt(0).toUpperCase()}${name.slice(1)}Result`,
          description: `What ${name} answers: its payload, or ${members.join(', ')}.`,
        },
      },
      resolve: async (_, args, context) => {
        try {
          requireWellFormed(args.input, repairs);
          return await decide(context.domain, viewerOf(context), args.input as I, context);
        } catch (error) {
          if (error instanceof Refusal) context.domain.meters.refusals.of({ mutation: name, code: error.code }).add();
          if (error instanceof Refusal && !refusals.some((refusal) => error instanceof refusal)) {
            throw badRequest.unexpected(error);
          }
          throw error;
        } finally {
          context.loaders.clear();
        }
      },
    }),
  );
}
