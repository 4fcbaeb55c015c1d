/**
 * P7: a subscriber that continues after its last cursor gets every row of a stream, in order, once:
 * through history, the switch to live, reconnects and restarts. Between the cursor before a frame
 * and the frame's own cursor lie exactly the rows of the frame.
 */
import { readCursor } from './cursors.ts';
import { type Evidence, streamKey } from './evidence.ts';
import type { Finding } from './finding.ts';
import { type Frame, groupBy, type Subscription } from './history.ts';
import { checkArrivals } from './p7-arrivals.ts';
import { checkCommitOrder } from './p7-commit-order.ts';
import { type Printed, seenRows, storedRows } from './rows.ts';

export function checkStreams(evidence: Evidence): Finding[] {
  const stored = new Map<string, readonly Printed[]>();
  const rowsOf = (subscription: Subscription) => {
    const name = `${subscription.stream} ${subscription.jobId}`;
    const known = stored.get(name) ?? storedRows(evidence, subscription);
    stored.set(name, known);
    return known;
  };
  return [
    ...evidence.history.subscriptions.flatMap((subscription) => checkFrames(evidence, subscription, rowsOf(subscription))),
    ...notToTheEnd(evidence, rowsOf),
    ...checkCommitOrder(evidence),
    ...checkArrivals(evidence),
  ];
}

const broken = (says: string, evidence: readonly string[]): Finding => ({ promise: 'P7', says, evidence });

function checkFrames(evidence: Evidence, subscription: Subscription, stored: readonly Printed[]): Finding[] {
  const { client, line, stream, jobId, after, frames, end } = subscription;
  const name = `${stream}${jobId && ' of '}${jobId}`;
  const findings: Finding[] = [];
  if (end?.how === 'refused')
    findings.push(
      broken(`${name} was refused${after === null ? '' : ', after a cursor that it had given'}: ${end.why}`, [`${client}.jsonl:${line}`]),
    );
  let place = after === null ? 0 : readCursor(after).seq;
  for (const frame of frames) {
    const at = `${client}.jsonl:${frame.line}`;
    const cursor = readCursor(frame.cursor);
    if (cursor.seq < place) findings.push(broken(`The cursor of ${name} went back from ${place} to ${cursor.seq}.`, [at]));
    const difference = compare(between(stored, place, cursor.seq), seenRows(subscription, frame), frame.missed);
    if (difference) findings.push(broken(`${name}, from ${place} to ${cursor.seq}: ${difference}`, [at]));
    if (frame.state === 'ENDED') findings.push(...endedEarly(evidence, subscription, frame, cursor.seq));
    place = Math.max(place, cursor.seq);
  }
  return findings;
}

/** The stored rows after one number, up to and including another. */
function between(stored: readonly Printed[], after: number, upTo: number): string[] {
  return stored.filter(({ seq }) => seq > after && seq <= upTo).map(({ text }) => text);
}

/** Null if they are equal. Only the first rows can have been removed by retention. */
function compare(stored: readonly string[], seen: readonly string[], missed: number): string | null {
  const wanted = missed > 0 ? stored.slice(Math.max(0, stored.length - seen.length)) : stored;
  const i = wanted.findIndex((text, n) => text !== seen[n]);
  if (i === -1 && seen.length <= wanted.length) return null;
  const [want = 'nothing', got = 'nothing'] = i === -1 ? [undefined, seen[wanted.length]] : [wanted[i], seen[i]];
  return `${wanted.length} rows are stored, ${seen.length} came; stored is ${JSON.stringify(want)}, and what came is ${JSON.stringify(got)}.`;
}

function endedEarly({ streams, jobs }: Evidence, { client, stream, jobId }: Subscription, frame: Frame, seq: number): Finding[] {
  const last = streams.get(streamKey(jobId, stream))?.last ?? 0;
  const status = jobs.get(jobId)?.status ?? 'gone';
  const isOver = ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(status);
  if (seq === last && isOver) return [];
  return [
    broken(`${stream} of ${jobId} was said to have ended at ${seq}; it goes to ${last}, and the job is ${status}.`, [
      `${client}.jsonl:${frame.line}`,
    ]),
  ];
}

/** A subscriber's last read of the feed, after all else had ended, reached its end. */
function notToTheEnd({ history }: Evidence, rowsOf: (subscription: Subscription) => readonly Printed[]): Finding[] {
  const feeds = history.subscriptions.filter(({ stream }) => stream === 'feed');
  return [...groupBy(feeds, ({ client }) => client).values()].flatMap((ofClient) => {
    const last = ofClient.at(-1);
    const frame = last?.frames.at(-1);
    if (last?.end?.how !== 'left' || !frame || frame.state === 'REPLAYING') return [];
    const { seq } = readCursor(frame.cursor);
    const rest = rowsOf(last).filter((row) => row.seq > seq);
    const isLastWord = history.fates.some(({ what, mono }) => what === 'stopped' && mono > frame.mono);
    if (rest.length === 0 || !isLastWord) return [];
    return [broken(`The feed was at its end at ${seq}, with ${rest.length} rows after it.`, [`${last.client}.jsonl:${frame.line}`])];
  });
}
