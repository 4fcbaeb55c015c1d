/** Every check, in one pass over the evidence. */
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { isDone } from './history.ts';
import { checkDurable } from './p1-durable.ts';
import { checkOneHolder } from './p2-one-holder.ts';
import { checkFenced } from './p3-fenced.ts';
import { checkRecordedOnce } from './p4-recorded-once.ts';
import { checkReclaimed } from './p5-reclaimed.ts';
import { checkIdempotent } from './p6-idempotent.ts';
import { checkStreams } from './p7-streams.ts';
import { checkHonestGaps } from './p8-honest-gaps.ts';
import { checkNoFault } from './p14-no-fault.ts';

const checks: readonly ((evidence: Evidence) => Finding[])[] = [
  checkDurable,
  checkOneHolder,
  checkFenced,
  checkRecordedOnce,
  checkReclaimed,
  checkIdempotent,
  checkStreams,
  checkHonestGaps,
  checkNoFault,
];

export const check = (evidence: Evidence): Finding[] => checks.flatMap((each) => each(evidence));

/** How much was checked: a check of nothing finds nothing. */
export interface Extent {
  /** Calls that reached a gateway, or may have. */
  readonly calls: number;
  readonly acknowledged: number;
  /** How many of these had no answer. */
  readonly unknown: number;
  readonly frames: number;
  readonly rowsWatched: number;
  readonly jobs: number;
  readonly attempts: number;
  readonly lostAttempts: number;
}

export function measure({ history, stored }: Evidence): Extent {
  const calls = history.calls.filter(({ isSent }) => isSent);
  const frames = history.subscriptions.flatMap((subscription) => subscription.frames);
  return {
    calls: calls.length,
    acknowledged: calls.filter(isDone).length,
    unknown: calls.filter(({ result, refusedWith }) => result === null && refusedWith === null).length,
    frames: frames.length,
    rowsWatched: frames.reduce((sum, { rows }) => sum + rows.length, 0),
    jobs: stored.jobs.length,
    attempts: stored.attempts.length,
    lostAttempts: stored.attempts.filter(({ outcome }) => outcome === 'LOST').length,
  };
}
