/**
 * The Pothos builder of every type of the API, and the three root types that other files extend.
 */
import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import './size-plugin.ts';
import type { Context } from './context.ts';
import type { Scalars } from './scalars.ts';

interface Types {
  Context: Context;
  DefaultFieldNullability: false;
  Scalars: Scalars;
}

/**
 * Fields are non-null unless they say `nullable: true`; input fields are optional unless they say
 * `required: true`.
 *
 * Pothos has plugins for more, which are not used:
 * - relay: ids are global as they are, and its resolvers of ids and nodes are asynchronous, which
 *   costs a promise for each id of each row. node.ts and connections.ts are all that is needed of
 *   Relay.
 * - dataloader: its loaders belong to types, and each row goes through one. Here a loader is a
 *   value that any resolver may ask (loaders.ts); rows that came in a list are shown as they are,
 *   and what loaders had read is forgotten after a mutation.
 * - validation: input is checked in the domain, which the gateway's own tasks use as well, and
 *   answered as InvalidInputError with a path for each issue.
 * - scope-auth: who may read a field is one table (domain/access/fields.ts) that docs/rights.md is
 *   made of, and a field without a row there stops the start (guards.ts).
 */
export const builder = new SchemaBuilder<Types>({
  plugins: [ErrorsPlugin, 'size'],
  defaultFieldNullability: false,
  errors: { directResult: true },
});

/** For functions that take refs of any of the schema's types. */
export type SchemaTypes = typeof builder.$inferSchemaTypes;

builder.queryType({ description: 'Everything that can be read. Every field needs a key and shows only what that key may see.' });
builder.mutationType({
  description:
    'Everything that can be changed. Each mutation takes one `input` and returns a union: its payload, or one of the refusals ' +
    'that the union names. A payload means that the change is durable. Mutations in one request run one after the other.',
});
builder.subscriptionType({
  description:
    'Everything that can be watched, over WebSocket (graphql-ws) or server-sent events. Streams of frames are resumable: pass ' +
    'the last cursor that you saw as `after`.',
});
