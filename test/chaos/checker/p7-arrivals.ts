/**
 * P7, for live streams: the commit of a row wakes its subscribers. Without the wake-up, the row
 * would still come with the safety poll of 5 s. So a subscriber that was connected and had caught
 * up gets the row well before that, or a wake-up was lost. Moments near the death of a gateway are
 * not judged, and neither are moments in which the machine was far too busy.
 */
import { readCursor } from './cursors.ts';
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { groupBy, type Subscription } from './history.ts';
import { expiredLeases, type Made, type MadeEvent, madeEvents, madeRows } from './made.ts';
import { isUndisturbed, meanSlowdown } from './outages.ts';

interface Due extends Made {
  readonly seq: number;
}

export function checkArrivals(evidence: Evidence): Finding[] {
  const events = madeEvents(evidence);
  const ofEvents = events.map((made) => ({ ...made, stream: 'event', jobId: made.row.jobId, seq: made.row.seq }));
  return lateOnes(evidence, { feed: events.map(inFeed), ofJobs: [...madeRows(evidence), ...ofEvents] }).map(
    ({ subscription, due, arrived }) => ({
      promise: 'P7',
      says: `A row of ${subscription.stream} (${due.seq}) came to a watcher that was there and had caught up ${tellWhen(due, arrived)}: its wake-up was lost.`,
      evidence: [due.call, `${subscription.client}.jsonl:${subscription.line}`],
    }),
  );
}

/** P5: subscribers to the feed see an expired lease at once. */
export function checkExpiriesSeen(evidence: Evidence): Finding[] {
  const feed = expiredLeases(evidence).map(inFeed);
  return lateOnes(evidence, { feed, ofJobs: [] }).map(({ subscription, due, arrived }) => ({
    promise: 'P5',
    says: `A watcher that was there saw that a lease had expired ${tellWhen(due, arrived)}.`,
    evidence: [due.call, `${subscription.client}.jsonl:${subscription.line}`],
  }));
}

const inFeed = (made: MadeEvent): Due => ({ ...made, seq: made.row.position });

const tellWhen = ({ answered }: Due, arrived: number | null) => (arrived === null ? 'never' : `${Math.round(arrived - answered)} ms later`);

interface Late {
  readonly subscription: Subscription;
  readonly due: Due;
  readonly arrived: number | null;
}

/** Rows that should have come sooner to a connected subscriber. */
function lateOnes(evidence: Evidence, of: { feed: readonly Due[]; ofJobs: readonly (Due & { stream: string; jobId: string })[] }): Late[] {
  const { history, bounds } = evidence;
  const byStream = groupBy(of.ofJobs, ({ stream, jobId }) => `${stream} ${jobId}`);
  return history.subscriptions.flatMap((subscription) => {
    if (subscription.slowMs > 0) return [];
    const ranges = liveRanges(subscription, history.end.mono);
    const dues = subscription.stream === 'feed' ? of.feed : (byStream.get(`${subscription.stream} ${subscription.jobId}`) ?? []);
    return dues.flatMap((due) => {
      const until = due.answered + bounds.arrivalMs;
      if (!ranges.some(({ from, to }) => from < due.asked && to > until)) return [];
      const arrived = subscription.frames.find(({ cursor }) => readCursor(cursor).seq >= due.seq)?.mono ?? null;
      if (arrived !== null && arrived <= until) return [];
      const isJudged =
        isUndisturbed(history, due.asked - 1_000, until) && meanSlowdown(history, due.answered, until) <= bounds.arrivalSlowdown;
      return isJudged ? [{ subscription, due, arrived }] : [];
    });
  });
}

/**
 * From the frame with which it had caught up on a connection to the loss of that connection, or the
 * end of the subscription.
 */
function liveRanges({ frames, turns, end }: Subscription, last: number): { from: number; to: number }[] {
  const losses = [...turns.filter(({ to }) => to === 'reconnecting').map(({ mono }) => mono), end?.mono ?? last];
  let from = Number.NEGATIVE_INFINITY;
  return losses.flatMap((to) => {
    const caughtUp = frames.find(({ mono, state }) => mono > from && mono < to && state === 'LIVE');
    from = to;
    return caughtUp ? [{ from: caughtUp.mono, to }] : [];
  });
}
