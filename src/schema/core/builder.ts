/** The builder that every type of the API is made with, and the three roots that their files add to. */
import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import type { Context } from './context.ts';
import type { Scalars } from './scalars.ts';

interface Types {
  Context: Context;
  DefaultFieldNullability: false;
  Scalars: Scalars;
}

/**
 * Fields are non-null unless they say `nullable: true`; input fields are optional unless they say `required: true`.
 *
 * Pothos's relay plugin is not used: ids are global as they are, and its resolvers of ids and nodes are asynchronous, which costs a promise
 * for each id of each row. node.ts and connections.ts are all that is needed of Relay.
 */
export const builder = new SchemaBuilder<Types>({
  plugins: [ErrorsPlugin],
  defaultFieldNullability: false,
  errors: { directResult: true },
});

/** For functions that take refs of any of the schema's types. */
export type SchemaTypes = typeof builder.$inferSchemaTypes;

builder.queryType({ description: 'Everything that can be read. All of it needs a key, and shows what that key may see.' });
builder.mutationType({
  description:
    'Everything that can be changed. Each mutation takes one `input` and answers its payload or one of the refusals that its result names; ' +
    'an answer means that the change is durable. Mutations of one request run one after the other.',
});
builder.subscriptionType({
  description:
    'Everything that can be watched: over WebSocket (graphql-ws) or server-sent events. Streams of frames are resumable: pass the last cursor seen as `after`.',
});
