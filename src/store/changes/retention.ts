/**
 * Deletes entries that are past retention: a little at a time, in one transaction with the count of
 * deleted entries. So a concurrent reader finds each entry, or finds it counted.
 */
import { and, asc, eq, gt, inArray, lt, lte, type SQL, sql } from 'drizzle-orm';
import type { StreamKind } from '../../domain/core/vocabulary.ts';
import { addToRuns, blockOf, lengthOf } from '../queries/gaps.ts';
import { isWord } from '../schema/columns.ts';
import { feedOfAllJobs } from '../schema/streams.ts';
import type { StreamRow, Tables } from '../schema/tables.ts';
import { type Placeholder, statement, type Tx } from '../store.ts';
import { remakeTiers, removeTiers } from './tiers.ts';

/** Held during each deletion: gateways on one database take turns. */
const RETENTION_LOCK = 7_203_413;

/** Takes the turn until the end of the transaction. Returns false if another gateway has it. */
export async function takeTurn({ db, dialect }: Tx): Promise<boolean> {
  const [turn] = await db.select({ isMine: dialect.takesTurn(RETENTION_LOCK) }).from(sql`(select 1) as one`);
  return Boolean(turn?.isMine);
}

export const lockStream = statement('lock stream', (db, t, $: Placeholder<{ jobId: string; kind: StreamKind }>, { lock }) =>
  lock(
    db
      .select()
      .from(t.streams)
      .where(and(eq(t.streams.jobId, $('jobId')), eq(t.streams.kind, $('kind')))),
    'wait',
  ),
);

const saveStream = statement(
  'save stream',
  (db, t, $: Placeholder<Pick<StreamRow, 'jobId' | 'kind' | 'first' | 'removed' | 'thinned' | 'bytes'>>) =>
    db
      .update(t.streams)
      .set({
        first: $('first', t.streams.first),
        removed: $('removed', t.streams.removed),
        thinned: $('thinned', t.streams.thinned),
        bytes: $('bytes', t.streams.bytes),
      })
      .where(and(eq(t.streams.jobId, $('jobId')), eq(t.streams.kind, $('kind')))),
);

/** Deletes the oldest entries of a locked stream of any kind, at most `limit`. Returns how many. */
export async function removeOldest(tx: Tx, stream: StreamRow, limit: number): Promise<number> {
  const { t, db } = tx;
  const { jobId, kind } = stream;
  const table = tableOf(t, kind);
  // On PostgreSQL, an event that has no position in the feed yet is not deleted.
  const isPlaced = kind === 'event' ? gt(t.events.position, 0) : undefined;
  const oldest = await db
    .select({ seq: table.seq })
    .from(table)
    .where(and(eq(table.jobId, jobId), isPlaced))
    .orderBy(asc(table.seq))
    .limit(limit);
  const upTo = oldest.at(-1)?.seq;
  let { bytes } = stream;
  if (upTo !== undefined) {
    const gone = and(eq(table.jobId, jobId), lte(table.seq, upTo));
    if (kind === 'event') await countEvents(tx, await db.select().from(t.events).where(gone));
    if (kind === 'metric')
      await countPoints(
        tx,
        jobId,
        await db.select({ stepNumber: t.metricPoints.stepNumber, name: t.metricPoints.name }).from(t.metricPoints).where(gone),
      );
    if (kind === 'log') bytes -= await bytesOf(tx, gone);
    await db.delete(table).where(gone);
  }
  const isAll = oldest.length < limit;
  if (kind === 'metric') await removeTiers(tx, jobId, isAll ? null : (upTo ?? 0));
  const first = isAll && kind !== 'event' ? stream.last + 1 : (upTo ?? stream.first - 1) + 1;
  await tx.run(saveStream, { ...stream, first, removed: stream.removed + oldest.length, bytes });
  return oldest.length;
}

/**
 * Removes at most so many entries of a locked stream whose job is deleted, and with the last of
 * them the stream; answers how many. Nothing is counted: nobody can read what is left.
 */
export async function removeLeft(tx: Tx, { jobId, kind }: StreamRow, limit: number): Promise<number> {
  const { t, db } = tx;
  const table = tableOf(t, kind);
  const oldest = await db.select({ seq: table.seq }).from(table).where(eq(table.jobId, jobId)).orderBy(asc(table.seq)).limit(limit);
  const upTo = oldest.at(-1)?.seq;
  if (upTo !== undefined) await db.delete(table).where(and(eq(table.jobId, jobId), lte(table.seq, upTo)));
  if (kind === 'metric') await removeTiers(tx, jobId, oldest.length < limit ? null : (upTo ?? 0));
  if (oldest.length < limit) await db.delete(t.streams).where(and(eq(t.streams.jobId, jobId), eq(t.streams.kind, kind)));
  return oldest.length;
}

/**
 * Deletes events of deleted jobs that are older than this time, at most `limit`. Returns how many.
 */
export async function removeDeletions(tx: Tx, before: Date, limit: number): Promise<number> {
  const { events } = tx.t;
  // On PostgreSQL, an event that has no position in the feed yet is not deleted.
  const isPast = and(isWord(events.type, 'JOB_DELETED'), lt(events.at, before), gt(events.position, 0));
  const oldest = await tx.db.select().from(events).where(isPast).orderBy(asc(events.at)).limit(limit);
  await countEvents(tx, oldest);
  const ids = oldest.map(({ jobId }) => jobId);
  if (ids.length > 0) await tx.db.delete(events).where(and(inArray(events.jobId, ids), isWord(events.type, 'JOB_DELETED')));
  return oldest.length;
}

const tableOf = (t: Tables, kind: StreamKind) =>
  ({ event: t.events, metric: t.metricPoints, telemetry: t.telemetrySamples, log: t.logChunks })[kind];

async function bytesOf({ t, db }: Tx, which: SQL | undefined): Promise<number> {
  const [sum] = await db
    .select({ bytes: sql<number | string>`coalesce(sum(${t.logChunks.size}), 0)` })
    .from(t.logChunks)
    .where(which);
  return Number(sum?.bytes ?? 0);
}

/**
 * Deletes the oldest chunks of a locked log, at most `limit`, until `bytes` or fewer are left.
 * Returns how many.
 */
export async function shortenLog(tx: Tx, stream: StreamRow, { bytes, limit }: { bytes: number; limit: number }): Promise<number> {
  const { logChunks } = tx.t;
  const oldest = await tx.db
    .select({ seq: logChunks.seq, size: logChunks.size })
    .from(logChunks)
    .where(eq(logChunks.jobId, stream.jobId))
    .orderBy(asc(logChunks.seq))
    .limit(limit);
  let left = stream.bytes;
  const gone: number[] = [];
  for (const { seq, size } of oldest) {
    // The newest chunk stays, however large it is.
    if (left <= bytes || seq === stream.last) break;
    left -= size;
    gone.push(seq);
  }
  const upTo = gone.at(-1);
  if (upTo === undefined) return 0;
  await tx.db.delete(logChunks).where(and(eq(logChunks.jobId, stream.jobId), lte(logChunks.seq, upTo)));
  await tx.run(saveStream, { ...stream, first: upTo + 1, removed: stream.removed + gone.length, bytes: left });
  return gone.length;
}

/** Deletes these rows of a locked stream and records up to which number it is thinned. */
export async function thinStream(
  tx: Tx,
  stream: StreamRow & { kind: 'metric' | 'telemetry' },
  gone: readonly { readonly seq: number; readonly stepNumber: number; readonly name?: string }[],
  upTo: number,
): Promise<void> {
  const { t, db } = tx;
  const table = { metric: t.metricPoints, telemetry: t.telemetrySamples }[stream.kind];
  const seqs = gone.map(({ seq }) => seq);
  if (seqs.length > 0) await db.delete(table).where(and(eq(table.jobId, stream.jobId), inArray(table.seq, seqs)));
  if (stream.kind === 'metric') {
    await countPoints(tx, stream.jobId, gone);
    await remakeTiers(tx, { jobId: stream.jobId, after: stream.thinned, upTo });
  }
  await tx.run(saveStream, { ...stream, thinned: upTo, removed: stream.removed + seqs.length });
}

const addRemovedPoints = statement(
  'add removed points',
  (db, t, $: Placeholder<{ jobId: string; stepNumber: number; name: string; count: number }>) =>
    db
      .update(t.latestMetrics)
      .set({ removed: sql`${t.latestMetrics.removed} + ${$('count', t.latestMetrics.removed)}` })
      .where(
        and(eq(t.latestMetrics.jobId, $('jobId')), eq(t.latestMetrics.stepNumber, $('stepNumber')), eq(t.latestMetrics.name, $('name'))),
      ),
);

async function countPoints(tx: Tx, jobId: string, points: readonly { stepNumber: number; name?: string }[]): Promise<void> {
  const counts = new Map<string, { stepNumber: number; name: string; count: number }>();
  for (const { stepNumber, name = '' } of points) {
    const key = `${stepNumber} ${name}`;
    const known = counts.get(key);
    if (known) known.count++;
    else counts.set(key, { stepNumber, name, count: 1 });
  }
  for (const of of counts.values()) await tx.run(addRemovedPoints, { jobId, ...of });
}

/**
 * Records which positions of the feed have become empty. The feed's own row is locked last, because
 * the sequencer waits for it.
 */
async function countEvents({ t, db }: Tx, events: readonly { position: number; projectId: string }[]): Promise<void> {
  const byBlock = Map.groupBy(events, ({ projectId, position }) => `${projectId} ${blockOf(position)}`);
  for (const [key, ofBlock] of byBlock) {
    const [projectId = '', block = 0] = [key.split(' ')[0], blockOf(ofBlock[0]?.position ?? 0)];
    const place = and(eq(t.feedGaps.projectId, projectId), eq(t.feedGaps.block, block));
    const [known] = await db.select().from(t.feedGaps).where(place);
    const runs = addToRuns(
      known?.runs ?? [],
      ofBlock.map(({ position }) => position),
    );
    if (known)
      await db
        .update(t.feedGaps)
        .set({ runs, count: lengthOf(runs) })
        .where(place);
    else await db.insert(t.feedGaps).values({ projectId, block, runs, count: lengthOf(runs) });
  }
  const newest = Math.max(0, ...events.map(({ position }) => position));
  await db
    .update(t.streams)
    .set({
      removed: sql`${t.streams.removed} + ${events.length}`,
      thinned: sql`case when ${t.streams.thinned} < ${newest} then ${newest} else ${t.streams.thinned} end`,
    })
    .where(and(eq(t.streams.jobId, feedOfAllJobs), eq(t.streams.kind, 'event')));
}
