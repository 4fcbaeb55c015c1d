/**
 * Relay connections for lists that can grow: keyset pagination, forward and backward, in pages of 1
 * to 100.
 *
 * A connection is lazy: `totalCount` alone reads no rows, and rows alone do not count.
 */
import type { ObjectRef } from '@pothos/core';
import type { GraphQLResolveInfo } from 'graphql';
import { badRequest } from '../../domain/core/request-refusals.ts';
import { type Position, type Slice, UnknownPosition } from '../../store/statements/keyset.ts';
import { builder, type SchemaTypes } from './builder.ts';
import type { Context } from './context.ts';
import { readAhead } from './reading-ahead.ts';
import { CONNECTION_SIZE, IN_ITS_PAGE } from './sizes.ts';

/** A list in a fixed order. */
export interface List<Row> {
  /** The sort key of a row. It ends with an id, so that it is unique. */
  positionOf(row: Row): Position;
  /** Reads at most `slice.limit` rows, in the direction of the slice. */
  read(slice: Slice): Promise<readonly Row[]>;
  count(): Promise<number>;
}

/** For callers that may see none of a list. */
export const emptyList: List<never> = { positionOf: () => [], read: async () => [], count: async () => 0 };

interface PageArgs {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

interface Page<Row> {
  readonly edges: readonly Edge<Row>[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

class Edge<Row> {
  readonly node: Row;
  readonly #list: List<Row>;
  constructor(node: Row, list: List<Row>) {
    this.node = node;
    this.#list = list;
  }
  get cursor(): string {
    return encode(this.#list.positionOf(this.node));
  }
}

/** One page of a list. It is read when its first field is resolved. */
export class Connection<Row> {
  readonly #list: List<Row>;
  readonly #slice: Slice;
  #page: Promise<Page<Row>> | undefined;

  constructor(list: List<Row>, slice: Slice) {
    this.#list = list;
    this.#slice = slice;
  }

  page(): Promise<Page<Row>> {
    this.#page ??= this.#read();
    return this.#page;
  }

  count(): Promise<number> {
    return this.#list.count();
  }

  async #read(): Promise<Page<Row>> {
    const { limit, isBackward, after, before } = this.#slice;
    // One extra row shows whether there are more.
    const read = await this.#list.read({ ...this.#slice, limit: limit + 1 }).catch((error: unknown) => {
      throw error instanceof UnknownPosition ? badRequest.foreignPageCursor() : error;
    });
    const hasMore = read.length > limit;
    const edges = (hasMore ? read.slice(0, limit) : read).map((row) => new Edge(row, this.#list));
    if (isBackward) edges.reverse();
    return isBackward
      ? { edges, hasPreviousPage: hasMore, hasNextPage: before !== null }
      : { edges, hasNextPage: hasMore, hasPreviousPage: after !== null };
  }
}

/** The page of `list` for a field's arguments. Throws BAD_REQUEST for invalid sizes and cursors. */
export function connect<Row>(args: PageArgs, list: List<Row>): Connection<Row> {
  const { first, last } = args;
  if (first != null && last != null) throw badRequest.firstAndLast();
  const limit = first ?? last ?? CONNECTION_SIZE;
  // The upper bound is a limit of the server, which it checks before the execution.
  if (limit < 1) throw badRequest.tooSmall(last == null ? 'first' : 'last', 1, limit);
  return new Connection(list, {
    limit,
    isBackward: last != null,
    after: args.after == null ? null : decode(args.after),
    before: args.before == null ? null : decode(args.before),
  });
}

/** `["2026-01-31T12:00:00.000Z", "job_…"]` in base64url: opaque to clients, but no secret. */
function encode(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function decode(cursor: string): Position {
  try {
    const position: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(position) && position.length > 0 && position.every(isKey)) return position;
  } catch {
    // Not JSON: refused below.
  }
  throw badRequest.foreignPageCursor();
}
const isKey = (key: unknown): key is string | number => typeof key === 'string' || typeof key === 'number';

/** The arguments of every connection field. */
export const pageArgs = builder.args((t) => ({
  first: t.int({
    description: 'How many to read from the beginning, or after `after`: 1 to 100. Default 25. Cannot be combined with `last`.',
  }),
  after: t.string({ description: 'The cursor of an edge. Only what follows it in the list is read.' }),
  last: t.int({
    description: 'How many to read from the end, or before `before`: 1 to 100. The page keeps the order of the list.',
  }),
  before: t.string({ description: 'The cursor of an edge. Only what precedes it in the list is read.' }),
}));

/** The arguments of a connection that is read forward only. */
export const forwardArgs = builder.args((t) => ({
  first: t.int({ description: 'How many to read: 1 to 100. Default 25.' }),
  after: t.string({ description: 'The cursor of an edge. Only what follows it in the list is read.' }),
}));

const PageInfo = builder.objectRef<Connection<unknown>>('PageInfo').implement({
  description: 'The position of a page in its list.',
  fields: (t) => ({
    hasNextPage: t.boolean({
      description: 'Whether more entries follow this page. For a page read with `last`, whether `before` was given.',
      resolve: async (connection) => (await connection.page()).hasNextPage,
    }),
    hasPreviousPage: t.boolean({
      description: 'Whether entries precede this page. For a page read with `first`, whether `after` was given.',
      resolve: async (connection) => (await connection.page()).hasPreviousPage,
    }),
    startCursor: t.string({
      nullable: true,
      description: 'The cursor of the first edge. Pass it as `before` to read the page before. Null when the page is empty.',
      resolve: async (connection) => (await connection.page()).edges[0]?.cursor ?? null,
    }),
    endCursor: t.string({
      nullable: true,
      description: 'The cursor of the last edge. Pass it as `after` to read the next page. Null when the page is empty.',
      resolve: async (connection) => (await connection.page()).edges.at(-1)?.cursor ?? null,
    }),
  }),
});

/**
 * Defines `JobConnection` and `JobEdge` for `Job`. `plural` names the rows in descriptions: "jobs".
 */
export function defineConnection<Row extends object>(name: string, node: ObjectRef<SchemaTypes, Row>, plural: string) {
  const rowsOf = async (connection: Connection<Row>, context: Context, info: GraphQLResolveInfo, path: readonly string[]) => {
    const { edges } = await connection.page();
    const rows = edges.map((edge) => edge.node);
    await readAhead(context, rows, info, path);
    return { edges, rows };
  };

  const EdgeType = builder.objectRef<Edge<Row>>(`${name}Edge`).implement({
    description: `An edge of a page of ${plural}: one entry and its cursor.`,
    fields: (t) => ({
      node: t.field({ type: node, description: 'The entry.', resolve: (edge) => edge.node as never }), // Pothos cannot see through the type parameter
      cursor: t.exposeString('cursor', { description: 'Its position in the list. Pass it as `after` or `before`.' }),
    }),
  });
  return builder.objectRef<Connection<Row>>(`${name}Connection`).implement({
    description: `A page of ${plural}.`,
    fields: (t) => ({
      edges: t.field({
        type: [EdgeType],
        size: IN_ITS_PAGE,
        description: 'The entries of this page, with their cursors.',
        resolve: async (connection, _, context, info) => (await rowsOf(connection, context, info, ['node'])).edges,
      }),
      nodes: t.field({
        type: [node],
        size: IN_ITS_PAGE,
        description: 'The entries of this page, without their cursors.',
        resolve: async (connection, _, context, info) => (await rowsOf(connection, context, info, [])).rows as never, // as above
      }),
      pageInfo: t.field({ type: PageInfo, description: 'The position of this page in the list.', resolve: (connection) => connection }),
      totalCount: t.int({
        description: 'The number of entries in the whole list. It is counted only when this field is requested.',
        resolve: (connection) => connection.count(),
      }),
    }),
  });
}
