import type { Given } from './input/flags.ts';
import { UsageError } from './io.ts';

/** One page of a Relay connection. */
export interface Page<Node> {
  readonly edges: readonly { readonly node: Node }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** The gateway's largest page. */
const largestPage = 100;

/** Reads pages until there are `limit` nodes or no more. */
export async function readPages<Node>(limit: number, read: (first: number, after: string | null) => Promise<Page<Node>>): Promise<Node[]> {
  const nodes: Node[] = [];
  for (let after: string | null = null; nodes.length < limit; ) {
    const page = await read(Math.min(largestPage, limit - nodes.length), after);
    nodes.push(...page.edges.map((edge) => edge.node));
    after = page.pageInfo.endCursor;
    if (!page.pageInfo.hasNextPage || after === null) break;
  }
  return nodes;
}

/** How many rows a list shows. */
export function readLimit(given: Given, byDefault = 50): number {
  const limit = given.integer('limit') ?? byDefault;
  if (limit < 1) throw new UsageError(`--limit takes a whole number of at least 1, not ${limit}.`);
  return limit;
}
