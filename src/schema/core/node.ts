/** Anything that has an id, by that id. */

import { rightToRead } from '../../domain/access/operations.ts';
import { may } from '../../domain/access/rights.ts';
import { type NodeType, typeOfId } from '../../domain/core/ids.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import type { Loader } from './loaders.ts';

interface Identified {
  readonly id: string;
}

const loaders = new Map<NodeType, Loader<string, Identified | null>>();

/** Says how rows of a type are read by id: null for those that are not there or may not be seen. */
export function readNodes(type: NodeType, loader: Loader<string, Identified | null>): void {
  loaders.set(type, loader);
}

function load(context: Context, id: string): Promise<Identified | null> | null {
  const type = typeOfId(id);
  if (type === null || !may(viewerOf(context), rightToRead[type])) return null;
  return loaders.get(type)?.load(context, id) ?? null;
}

export const Node = builder.interfaceRef<Identified>('Node').implement({
  description: 'Something that is stored under an id of its own.',
  resolveType: ({ id }) => typeOfId(id) ?? undefined,
  fields: (t) => ({
    id: t.exposeID('id', {
      description:
        'Its id: a prefix that says what it is, and 26 characters that sort by the time it was made. Unique across all types, and never used again.',
    }),
  }),
});

builder.queryField('node', (t) =>
  t.field({
    type: Node,
    nullable: true,
    description: 'The thing with this id, of whatever type. Null: there is none, or this key may not see it.',
    args: { id: t.arg.id({ required: true, description: 'The id of any Node: `job_…`, `step_…`, `dev_…`.' }) },
    resolve: (_, { id }, context) => viewerOf(context) && load(context, id),
  }),
);

builder.queryField('nodes', (t) =>
  t.field({
    type: [Node],
    size: { by: ['ids'], usually: 0, perNode: 1, isPage: true },
    nullable: { list: false, items: true },
    description: 'The things with these ids, in their order; null where there is none, or this key may not see it.',
    args: { ids: t.arg.idList({ required: true, description: 'Ids of any Nodes: at most 100.' }) },
    resolve: (_, { ids }, context) => {
      viewerOf(context);
      return ids.map((id) => load(context, id));
    },
  }),
);
