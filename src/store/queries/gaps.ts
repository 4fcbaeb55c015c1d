/** Counts the positions of the feed, in a range, whose events were deleted. */
import { and, eq, gt, inArray, lt, sql } from 'drizzle-orm';
import type { Queries } from '../store.ts';

/** The number of positions per row of `feed_gaps`. */
const GAP_BLOCK = 4_096;

export type Runs = readonly (readonly [from: number, to: number])[];

export const blockOf = (position: number): number => Math.floor(position / GAP_BLOCK);

/**
 * The number of deleted events of a project, or of all, at positions after one and up to another.
 */
export async function countGaps(
  { db, t }: Queries,
  { projectId, after, upTo }: { projectId: string | null; after: number; upTo: number },
): Promise<number> {
  if (upTo <= after) return 0;
  const { feedGaps: gaps } = t;
  const [start, end] = [blockOf(after + 1), blockOf(upTo)];
  const ofProject = projectId === null ? undefined : eq(gaps.projectId, projectId);
  const edges = await db
    .select({ runs: gaps.runs })
    .from(gaps)
    .where(and(ofProject, inArray(gaps.block, [start, end])));
  const [between] = await db
    .select({ count: sql<number | string>`coalesce(sum(${gaps.count}), 0)` })
    .from(gaps)
    .where(and(ofProject, gt(gaps.block, start), lt(gaps.block, end)));
  const atEdges = edges.flatMap(({ runs }) => runs).map(([from, to]) => Math.max(0, Math.min(to, upTo) - Math.max(from, after + 1) + 1));
  // PostgreSQL returns a sum as text.
  return atEdges.reduce((sum, length) => sum + length, Number(between?.count ?? 0));
}

/** Adds these positions to the runs. */
export function addToRuns(runs: Runs, positions: readonly number[]): Runs {
  const all = [...runs, ...positions.map((position) => [position, position] as const)].sort(([a], [b]) => a - b);
  const merged: [number, number][] = [];
  for (const [from, to] of all) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

export const lengthOf = (runs: Runs): number => runs.reduce((sum, [from, to]) => sum + to - from + 1, 0);
