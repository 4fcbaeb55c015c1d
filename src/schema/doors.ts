/** Puts the table of operations before every root field: none is reached that has no row, and none but by who has the right that its row names. */
import { defaultFieldResolver, type GraphQLField, type GraphQLSchema } from 'graphql';
import { admit, type Operation, operationOf, operations } from '../domain/operations.ts';
import { type Context, viewerOf } from './context.ts';

export function guardRoots(schema: GraphQLSchema): GraphQLSchema {
  for (const root of Object.keys(operations) as (keyof typeof operations)[]) {
    const fields = rootFields(schema, root);
    const unknown = Object.keys(operations[root]).filter((name) => !(name in fields));
    if (unknown.length > 0)
      throw new Error(`domain/operations.ts has rows of ${root} that the schema has no field for: ${unknown.join(', ')}.`);
    for (const field of Object.values(fields)) {
      const operation = operationOf(root, field.name);
      if (!operation) throw new Error(`${root}.${field.name} has no row in domain/operations.ts.`);
      guard(field, operation, root === 'Subscription');
    }
  }
  return schema;
}

type RootField = GraphQLField<unknown, Context>;

function rootFields(schema: GraphQLSchema, root: 'Query' | 'Mutation' | 'Subscription'): Readonly<Record<string, RootField>> {
  const type = { Query: schema.getQueryType(), Mutation: schema.getMutationType(), Subscription: schema.getSubscriptionType() }[root];
  return type?.getFields() ?? {};
}

function guard(field: RootField, operation: Operation, isSubscription: boolean): void {
  const behind = (isSubscription ? field.subscribe : field.resolve) ?? defaultFieldResolver;
  const guarded: typeof behind = (source, args, context, info) =>
    admit(viewerOf(context), operation) ? behind(source, args, context, info) : null;
  if (isSubscription) field.subscribe = guarded;
  else field.resolve = guarded;
}
