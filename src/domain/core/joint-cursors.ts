/**
 * Cursors over the metrics of several jobs: a position for each of their streams. Each part is
 * checked as the cursor of its own stream is (cursors.ts).
 */
import { decodeCursor, encodeCursor } from './cursors.ts';
import type { Domain } from './domain.ts';
import { badRequest } from './request-refusals.ts';

/** The numbers up to which the streams of jobs were read. */
export type Positions = ReadonlyMap<string, number>;

export function encodeJointCursor({ store }: Domain, positions: Positions): string {
  const parts = [...positions].map(([jobId, seq]) => `${jobId}.${seq}`);
  return Buffer.from(`${store.identity}.metrics.${parts.join('.')}`).toString('base64url');
}

/** The cursors of single streams that a cursor consists of, by job. A cursor of metrics has one. */
function partsOf(cursor: string): Map<string, string> {
  const [identity = '', kind, ...parts] = Buffer.from(cursor, 'base64url').toString().split('.');
  const found = new Map<string, string>();
  if (kind !== 'metrics' && kind !== 'metric') return found;
  for (let i = 0; i < parts.length; i += 2) {
    const [jobId = '', seq = ''] = parts.slice(i, i + 2);
    found.set(jobId, Buffer.from(`${identity}.metric.${jobId}.${seq}`).toString('base64url'));
  }
  return found;
}

/**
 * The cursor of one job's metrics. A cursor of several jobs is replaced by its part for this one.
 */
export const cursorOfJob = (cursor: string | null | undefined, jobId: string): string | null =>
  cursor === null || cursor === undefined ? null : (partsOf(cursor).get(jobId) ?? cursor);

/**
 * The numbers to continue after. A job that the cursor says nothing of is read from its beginning.
 * Throws BAD_REQUEST for a cursor that says nothing of any of them, or is not of this store.
 */
export async function decodeJointCursor(domain: Domain, cursor: string | null | undefined, jobIds: readonly string[]): Promise<Positions> {
  const parts = cursor === null || cursor === undefined ? null : partsOf(cursor);
  if (parts && !jobIds.some((jobId) => parts.has(jobId))) throw badRequest.foreignStreamCursor('after');
  const positions = new Map<string, number>();
  for (const jobId of jobIds) positions.set(jobId, await decodeCursor(domain, parts?.get(jobId), { kind: 'metric', jobId }));
  return positions;
}

/** The cursor of one job's metrics at a number. */
export const metricCursor = (domain: Domain, jobId: string, seq: number): string => encodeCursor(domain, { kind: 'metric', jobId, seq });
