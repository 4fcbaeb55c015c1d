/**
 * Guards every field of the schema by the tables of rights. A root field without a row in
 * domain/access/operations.ts, or any other field without one in domain/access/fields.ts, stops the
 * start. A field is resolved only for callers with the right that its row names.
 */
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLOutputType,
  type GraphQLSchema,
  isIntrospectionType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { rightsToFields } from '../../domain/access/fields.ts';
import { admit, type Operation, operationOf, operations } from '../../domain/access/operations.ts';
import { type Action, isForEveryone, may, requireRight } from '../../domain/access/rights.ts';
import { type Context, viewerOf } from './context.ts';

type Field = GraphQLField<unknown, Context>;

export function guardRootFields(schema: GraphQLSchema): GraphQLSchema {
  for (const root of Object.keys(operations) as (keyof typeof operations)[]) {
    const fields = rootFields(schema, root);
    const unknown = Object.keys(operations[root]).filter((name) => !(name in fields));
    if (unknown.length > 0)
      throw new Error(`domain/access/operations.ts has rows of ${root} that the schema has no field for: ${unknown.join(', ')}.`);
    for (const field of Object.values(fields)) {
      const operation = operationOf(root, field.name);
      if (!operation) throw new Error(`${root}.${field.name} has no row in domain/access/operations.ts.`);
      guard(field, operation, root === 'Subscription');
    }
  }
  return schema;
}

function rootFields(schema: GraphQLSchema, root: 'Query' | 'Mutation' | 'Subscription'): Readonly<Record<string, Field>> {
  const type = { Query: schema.getQueryType(), Mutation: schema.getMutationType(), Subscription: schema.getSubscriptionType() }[root];
  return type?.getFields() ?? {};
}

function guard(field: Field, operation: Operation, isSubscription: boolean): void {
  const behind = (isSubscription ? field.subscribe : field.resolve) ?? defaultFieldResolver;
  const guarded: typeof behind = (source, args, context, info) =>
    admit(viewerOf(context), operation) ? behind(source, args, context, info) : null;
  if (isSubscription) field.subscribe = guarded;
  else field.resolve = guarded;
}

/** Throws before it changes the schema if the schema and the table have different fields. */
export function guardFields(schema: GraphQLSchema, rights: ReadonlyMap<string, Action> = rightsToFields): GraphQLSchema {
  const fields = new Map<string, Field>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || isIntrospectionType(type) || type.name in operations) continue;
    for (const field of Object.values(type.getFields())) fields.set(`${type.name}.${field.name}`, field);
  }
  for (const coordinate of rights.keys())
    if (!fields.has(coordinate)) throw new Error(`domain/access/fields.ts has a row for ${coordinate}, which the schema does not have.`);
  const guarded = [...fields].map(([coordinate, field]): [Field, Action] => {
    const right = rights.get(coordinate);
    if (right === undefined) throw new Error(`${coordinate} has no row in domain/access/fields.ts.`);
    return [field, right];
  });
  for (const [field, right] of guarded) if (!isForEveryone(right)) guardField(field, right);
  return schema;
}

function guardField(field: Field, right: Action): void {
  const behind = field.resolve ?? defaultFieldResolver;
  field.resolve = (source, args, context, info) => {
    const viewer = viewerOf(context);
    if (may(viewer, right)) return behind(source, args, context, info);
    const shown = standIn(field.type);
    if (shown === undefined) requireRight(viewer, right);
    return shown;
  };
}

/** What a caller without the right gets in place of the value. Undefined: FORBIDDEN. */
export function standIn(type: GraphQLOutputType): null | '***' | Record<string, never> | undefined {
  if (!isNonNullType(type)) return null;
  const named = String(type.ofType);
  if (named === 'String') return '***';
  return named === 'JSONObject' ? {} : undefined;
}
