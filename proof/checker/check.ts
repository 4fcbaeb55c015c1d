/** Every check, in one pass over the evidence. */
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { isDone } from './history.ts';
import { checkDurable } from './p1-durable.ts';
import { checkOneHolder } from './p2-one-holder.ts';
import { checkFenced } from './p3-fenced.ts';
import { checkRecordedOnce } from './p4-recorded-once.ts';

export const checks: readonly ((evidence: Evidence) => Finding[])[] = [checkDurable, checkOneHolder, checkFenced, checkRecordedOnce];

export const check = (evidence: Evidence): Finding[] => checks.flatMap((each) => each(evidence));

/** How much was looked at: a check of nothing finds nothing. */
export interface Extent {
  readonly calls: number;
  readonly acknowledged: number;
  /** Calls that had no answer. */
  readonly unknown: number;
  readonly frames: number;
  readonly rowsWatched: number;
  readonly jobs: number;
  readonly attempts: number;
  readonly lostAttempts: number;
}

export function measure({ history, stored }: Evidence): Extent {
  const frames = history.subscriptions.flatMap((subscription) => subscription.frames);
  return {
    calls: history.calls.length,
    acknowledged: history.calls.filter(isDone).length,
    unknown: history.calls.filter(({ result, refusedWith }) => result === null && refusedWith === null).length,
    frames: frames.length,
    rowsWatched: frames.reduce((sum, { rows }) => sum + rows.length, 0),
    jobs: stored.jobs.length,
    attempts: stored.attempts.length,
    lostAttempts: stored.attempts.filter(({ outcome }) => outcome === 'LOST').length,
  };
}
