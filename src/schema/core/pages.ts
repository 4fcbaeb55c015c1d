/** Pages of a stream of stored entries, for clients that query instead of subscribing. */
import { decodeCursor, encodeCursor, type StreamName } from '../../domain/core/cursors.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { badRequest } from '../../domain/core/request-refusals.ts';
import type { Range } from '../../store/queries/ranges.ts';
import type { Portion } from '../../store/statements/portions.ts';
import { builder } from './builder.ts';
import type { ResponseBudget } from './response-budget.ts';
import { STREAM_PAGE_SIZE } from './sizes.ts';

/** About how many bytes one page may have. A larger entry is a page of its own. */
export const PAGE_BYTES = 1_048_576;

interface PageArgs {
  readonly after?: string | null | undefined;
  readonly first?: number | null | undefined;
}

export interface StreamPage<Row> {
  readonly rows: readonly Row[];
  readonly endCursor: string | null;
  readonly hasMore: boolean;
  readonly missed: number;
}

export const missedText =
  'The number of entries between the requested position and the end of this page that retention has deleted; usually 0. ' +
  'Deleted entries are counted whether they matched the request or not.';

/** The arguments of every page of a stream. */
export const streamArgs = builder.args((t) => ({
  after: t.field({ type: 'Cursor', description: 'Read only what follows this cursor. Default: from the beginning.' }),
  first: t.int({
    description: `The most entries to read: 1 to 100. Default ${STREAM_PAGE_SIZE}. A page holds about a megabyte at most, or a single longer entry. \`hasMore\` tells whether more are stored.`,
  }),
}));

/**
 * The page of a stream for a field's arguments. `read` gets the number to continue after and the
 * amount to read. Throws LIMIT_EXCEEDED before it reads what the answer has no room for, and
 * BAD_REQUEST for invalid sizes and cursors.
 */
export async function pageOf<Row>(
  { domain, budget }: { readonly domain: Domain; readonly budget: ResponseBudget },
  stream: StreamName,
  { after, first }: PageArgs,
  read: (after: number, portion: Portion) => Promise<Range<Row>>,
): Promise<StreamPage<Row>> {
  const limit = first ?? STREAM_PAGE_SIZE;
  if (limit < 1) throw badRequest.tooSmall('first', 1, limit);
  const portion = { rows: limit, bytes: PAGE_BYTES, hold: (bytes: number) => budget.hold(bytes) };
  const { rows, upTo, hasMore, missed } = await read(await decodeCursor(domain, after, stream), portion);
  // If nothing was read, the position is unchanged.
  const isSame = rows.length === 0 && missed === 0;
  return { rows, endCursor: isSame ? (after ?? null) : encodeCursor(domain, { ...stream, seq: upTo }), hasMore, missed };
}
