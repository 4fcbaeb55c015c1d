/**
 * P7, of live streams: a row that is committed wakes who watches. Without the wake-up it would come all the same, with the safety poll of 5 s; so a
 * watcher that was there and had caught up gets it well before that, or a wake-up was lost. Moments near the death of a gateway say nothing, and neither do
 * those in which the machine had far too much to do.
 */
import { readCursor } from './cursors.ts';
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { groupBy, type Subscription } from './history.ts';
import { type Made, madeEvents, madeRows } from './made.ts';
import { isUndisturbed, slowdown } from './outages.ts';

interface Due extends Made {
  readonly seq: number;
}

export function checkArrivals(evidence: Evidence): Finding[] {
  const { history, bounds } = evidence;
  const { events, rows } = { events: madeEvents(evidence), rows: madeRows(evidence) };
  const feed: Due[] = events.map((made) => ({ ...made, seq: made.row.position }));
  const byStream = groupBy<Due & { stream: string; jobId: string }>(
    [...rows, ...events.map((made) => ({ ...made, stream: 'event', jobId: made.row.jobId, seq: made.row.seq }))],
    ({ stream, jobId }) => `${stream} ${jobId}`,
  );
  const findings: Finding[] = [];
  for (const subscription of history.subscriptions) {
    if (subscription.slowMs > 0) continue;
    const stretches = liveStretches(subscription, history.end.mono);
    const dues = subscription.stream === 'feed' ? feed : (byStream.get(`${subscription.stream} ${subscription.jobId}`) ?? []);
    for (const due of dues) {
      const until = due.answered + bounds.arrivalMs;
      if (!stretches.some(({ from, to }) => from < due.asked && to > until)) continue;
      const arrival = subscription.frames.find(({ cursor }) => readCursor(cursor).seq >= due.seq);
      if (arrival && arrival.mono <= until) continue;
      if (!isUndisturbed(history, due.asked - 1_000, until)) continue;
      if (slowdown(history, due.answered, Math.min(until, arrival?.mono ?? until)) > bounds.arrivalSlowdown) continue;
      findings.push(lateOf(subscription, due, arrival?.mono ?? null));
    }
  }
  return findings;
}

function lateOf({ client, line, stream }: Subscription, due: Due, arrived: number | null): Finding {
  const when = arrived === null ? 'never' : `${Math.round(arrived - due.answered)} ms after its answer`;
  return {
    promise: 'P7',
    says: `A row of ${stream} (${due.seq}) came to a watcher that was there and had caught up ${when}: its wake-up was lost.`,
    evidence: [due.call, `${client}.jsonl:${line}`],
  };
}

/** From the frame with which it had caught up on a connection to the loss of that, or the subscription's end. */
function liveStretches({ frames, turns, end }: Subscription, last: number): { from: number; to: number }[] {
  const losses = [...turns.filter(({ to }) => to === 'reconnecting').map(({ mono }) => mono), end?.mono ?? last];
  let from = Number.NEGATIVE_INFINITY;
  return losses.flatMap((to) => {
    const caughtUp = frames.find(({ mono, state }) => mono > from && mono < to && state === 'LIVE');
    from = to;
    return caughtUp ? [{ from: caughtUp.mono, to }] : [];
  });
}
