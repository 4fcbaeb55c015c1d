/** `node` and `nodes`: any object by its id. */

import type { GraphQLResolveInfo } from 'graphql';
import { rightToRead } from '../../domain/access/operations.ts';
import { may } from '../../domain/access/rights.ts';
import { type NodeType, typeOfId } from '../../domain/core/ids.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import type { Loader } from './loaders.ts';

interface Identified {
  readonly id: string;
}

type Read = (context: Context, id: string, info: GraphQLResolveInfo) => Promise<Identified | null> | null;
const reads = new Map<NodeType, Read>();

/**
 * Registers how rows of a type are read by id: null for rows that do not exist or that the caller
 * may not see.
 */
export function readNodes(type: NodeType, read: Loader<string, Identified | null> | Read): void {
  reads.set(type, typeof read === 'function' ? read : (context, id) => read.load(context, id));
}

function load(context: Context, id: string, info: GraphQLResolveInfo): Promise<Identified | null> | null {
  const type = typeOfId(id);
  if (type === null || !may(viewerOf(context), rightToRead[type])) return null;
  return reads.get(type)?.(context, id, info) ?? null;
}

export const Node = builder.interfaceRef<Identified>('Node').implement({
  description: 'An object with an id of its own.',
  resolveType: ({ id }) => typeOfId(id) ?? undefined,
  fields: (t) => ({
    id: t.exposeID('id', {
      description:
        'Its id: a prefix for its type, then 26 characters that sort by creation time. Ids are unique across all types and are never ' +
        'reused.',
    }),
  }),
});

builder.queryField('node', (t) =>
  t.field({
    type: Node,
    nullable: true,
    description: 'The object with this id, of any type. Null when there is none or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'The id of any Node: `job_…`, `step_…`, `dev_…`.' }) },
    resolve: (_, { id }, context, info) => viewerOf(context) && load(context, id, info),
  }),
);

builder.queryField('nodes', (t) =>
  t.field({
    type: [Node],
    size: { by: ['ids'], usually: 0, perNode: 1, isPage: true },
    nullable: { list: false, items: true },
    description: 'The objects with these ids, in the same order. An entry is null when there is no such object or this key may not see it.',
    args: { ids: t.arg.idList({ required: true, description: 'Ids of any nodes: at most 100.' }) },
    resolve: (_, { ids }, context, info) => {
      viewerOf(context);
      return ids.map((id) => load(context, id, info));
    },
  }),
);
