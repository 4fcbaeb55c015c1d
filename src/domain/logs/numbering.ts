/**
 * Numbers the lines of logs that were written before lines were counted.
 *
 * Every chunk stored now has its line number from the start. Logs of earlier versions get theirs
 * from retention, which looks at all logs, or before that from the first reader that needs one.
 * Both do the same small steps. A step is a transaction of its own and saves how far it came, so it
 * may be the last before a kill: the next one goes on. Until a log is numbered to its end, its new
 * chunks get no numbers either, and retention removes nothing of it.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { saveFirstLine, saveLogCounts, saveNumbered } from '../../store/changes/log-lines.ts';
import { lockStream } from '../../store/changes/retention.ts';
import { lockStepByNumber } from '../../store/changes/steps.ts';
import { readLogChunks, streamBounds } from '../../store/queries/streams.ts';
import type { LogChunkRow, StepRow, StreamRow } from '../../store/schema/tables.ts';
import type { Tx } from '../../store/store.ts';
import type { Domain } from '../core/domain.ts';
import { nextLine, nothingLogged, withChunk } from './lines.ts';

/** Chunks of one step. SQLite writes their texts again with their numbers: a few milliseconds. */
const AT_ONCE = { rows: 100, bytes: 524_288 };

/**
 * Numbers the log of a job to its end. Usually it is already, which takes one small read. `pause`
 * is called after each step, with the time that it took.
 */
export async function numberLog(domain: Domain, jobId: string, pause: (tookMs: number) => Promise<unknown> = () => turn()): Promise<void> {
  for (;;) {
    const startedAt = domain.clock.elapsed();
    if (!(await numberSome(domain, jobId))) return;
    await pause(domain.clock.elapsed() - startedAt);
  }
}

/** Whether the log has chunks without line numbers. */
export const isUnnumbered = ({ kind, numbered, last }: Pick<StreamRow, 'kind' | 'numbered' | 'last'>): boolean =>
  kind === 'log' && numbered < last;

/** One step. Returns whether it did something. */
async function numberSome({ store }: Domain, jobId: string): Promise<boolean> {
  const [log] = await store.read.run(streamBounds, { jobId, kind: 'log' });
  if (!log || log.numbered >= log.last) return false;
  const { rows, hasMore } = await readLogChunks(store.read, { jobId, stepNumber: null, after: log.numbered }, AT_ONCE);
  const lastRead = rows.at(-1)?.seq ?? 0;
  // What is not there by then, up to `last`, was removed before this version.
  const numbered = hasMore ? lastRead : Math.max(log.last, lastRead);
  return store.write(async (tx) => {
    const steps = await lockSteps(tx, jobId, rows);
    const [now] = await tx.run(lockStream, { jobId, kind: 'log' });
    if (!now || now.isDeleted) return false;
    // Another reader or gateway was faster.
    if (now.numbered !== log.numbered) return true;
    for (const [number, step] of steps) {
      let counts = step.logCounts ?? nothingLogged;
      for (const chunk of rows.filter(({ stepNumber }) => stepNumber === number)) {
        await tx.run(saveFirstLine, { jobId, seq: chunk.seq, firstLine: nextLine(counts, chunk.attempt) });
        counts = withChunk(counts, chunk);
      }
      await tx.run(saveLogCounts, { id: step.id, logCounts: counts });
    }
    await tx.run(saveNumbered, { jobId, numbered });
    return true;
  });
}

/** The steps of these chunks, locked in order of their numbers. */
async function lockSteps(tx: Tx, jobId: string, chunks: readonly LogChunkRow[]): Promise<Map<number, StepRow>> {
  const numbers = [...new Set(chunks.map(({ stepNumber }) => stepNumber))].sort((a, b) => a - b);
  const steps = new Map<number, StepRow>();
  for (const number of numbers) {
    const [step] = await tx.run(lockStepByNumber, { jobId, number });
    if (step) steps.set(number, step);
  }
  return steps;
}
