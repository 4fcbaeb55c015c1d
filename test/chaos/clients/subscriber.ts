/**
 * Subscribes to the feed of all events from the beginning, with interruptions, and to the streams
 * of some of the jobs in it: some slowly, some long after they were written. It continues after the
 * last cursor that it noted. When it is stopped, it reads its streams to the end.
 */
import { messageOf, RequestRefused } from '../../../src/client/errors.ts';
import { EventsDocument, LogDocument, MetricsDocument, TelemetryDocument } from '../../../src/client/generated.ts';
import { type OwnSocketOptions, subscribe } from '../../../src/client/node/subscribe.ts';
import type { FrameSeen, StreamKind } from '../notes.ts';
import { Client } from './client.ts';

const client = new Client();
const { random, notebook } = client;
const { projectId, options } = client.settings;
const mostAtOnce = Number(options.atOnce ?? 10);
/** The share of jobs in the feed that it subscribes to. */
const share = Number(options.share ?? 0.3);
/** How long after the stop the streams of jobs may take to end. */
const patienceMs = Number(options.patienceMs ?? 20_000);

/** Aborted when that time is up. */
const lastCall = new AbortController();
client.stop.addEventListener('abort', () => setTimeout(() => lastCall.abort(), patienceMs).unref());

const watching = new Set<Promise<void>>();
/** Jobs to subscribe to later. */
const late: string[] = [];
let subscriptions = 0;

interface Wanted {
  readonly stream: StreamKind;
  /** Empty for the feed. */
  readonly jobId: string;
  readonly after: string | null;
  /** How long it waits after each frame. */
  readonly slowMs: number;
  readonly signal: AbortSignal;
  /** Called for each noted frame. Returns whether to stop. */
  readonly onFrame?: (frame: FrameSeen) => boolean;
}

/**
 * Follows a stream over all connections until it ends or is left. Returns the last noted cursor.
 */
async function follow({ signal, onFrame, ...of }: Wanted): Promise<{ cursor: string | null; isOver: boolean }> {
  const subscription = `${++subscriptions} ${of.stream}`;
  notebook.write({ kind: 'subscribed', subscription, projectId, ...of });
  let cursor = of.after;
  const leave = (how: 'ended' | 'left' | 'refused', why = '') => {
    notebook.write({ kind: 'unsubscribed', subscription, how, why });
    return { cursor, isOver: how !== 'left' };
  };
  try {
    const onState = (to: string, why = '') => notebook.write({ kind: 'turned', subscription, to, why });
    for await (const { cursor: place, state, missed, ...rest } of open(of, { signal, onState, backoff: client.backoff })) {
      const rows = Object.values(rest).flat() as FrameSeen['rows']; // the documents select one list beside those three
      const frame: FrameSeen = { kind: 'frame', subscription, cursor: place, state, missed, rows };
      notebook.write(frame);
      cursor = place;
      if (state === 'ENDED') return leave('ended');
      if (onFrame?.(frame)) break;
      if (of.slowMs > 0) await client.pause(of.slowMs);
    }
    return leave('left');
  } catch (error) {
    if (!(error instanceof RequestRefused)) throw error;
    return leave('refused', `${error.code} ${messageOf(error)}`);
  }
}

interface Framed {
  readonly cursor: string;
  readonly state: FrameSeen['state'];
  readonly missed: number;
}

function open({ stream, jobId, after }: Wanted | Omit<Wanted, 'signal'>, how: OwnSocketOptions): AsyncIterable<Framed> {
  switch (stream) {
    case 'feed':
      return subscribe(client.target, EventsDocument, { filter: { projectId }, after }, how);
    case 'event':
      return subscribe(client.target, EventsDocument, { filter: { jobId }, after }, how);
    case 'log':
      return subscribe(client.target, LogDocument, { jobId, after }, how);
    case 'metric':
      return subscribe(client.target, MetricsDocument, { jobId, after }, how);
    case 'telemetry':
      return subscribe(client.target, TelemetryDocument, { jobId, after }, how);
  }
}

/** Follows one stream of a job to its end, sometimes in several subscriptions. */
async function watch(jobId: string, stream: StreamKind): Promise<void> {
  const slowMs = random.chance(0.1) ? random.between(50, 400) : 0;
  for (let after: string | null = null; !lastCall.signal.aborted; ) {
    const signals = [lastCall.signal];
    if (random.chance(0.3) && !client.stop.aborted) signals.push(AbortSignal.timeout(random.whole(20, 2_000)));
    const { cursor, isOver } = await follow({ stream, jobId, after, slowMs, signal: AbortSignal.any(signals) });
    if (isOver) return;
    after = cursor;
  }
}

function begin(jobId: string): void {
  const streams = random.pick<readonly StreamKind[]>([['event'], ['log'], ['log', 'event'], ['metric', 'telemetry']]);
  for (const stream of streams) {
    const work = watch(jobId, stream).finally(() => watching.delete(work));
    watching.add(work);
  }
}

function hear({ rows }: FrameSeen): boolean {
  for (const { __typename, job } of rows) {
    if (__typename !== 'JobCreatedEvent' || !random.chance(share)) continue;
    const { id } = job as { id: string }; // its document selects it
    if (watching.size < mostAtOnce && random.chance(0.7)) begin(id);
    else late.push(id);
  }
  return false;
}

/** Asks for the feed after a cursor that it never issued, and notes the answer. */
async function probe(given: string): Promise<void> {
  const [store = '', kind = '', jobId = '', seq = ''] = Buffer.from(given, 'base64url').toString().split('.');
  const forge = (...parts: readonly string[]) => Buffer.from(parts.join('.')).toString('base64url');
  const [what, cursor] = random.pick<readonly [string, string]>([
    ['A cursor of the future', forge(store, kind, jobId, String(Number(seq) + 1_000_000))],
    ['A cursor of another store', forge(`${store}x`, kind, jobId, seq)],
    ['A cursor of another stream', forge(store, 'log', late[0] ?? 'job_none', '1')],
    ['A cursor that is none', 'bm9uc2Vuc2U'],
  ]);
  const code = await refusalOf(cursor);
  if (code !== null) notebook.write({ kind: 'probed', cursor, what, code: code === SERVED ? null : code });
}

const SERVED = 'served';

/** The code of the refusal, or that it was served; null without an answer. */
async function refusalOf(after: string): Promise<string | null> {
  const enough = AbortSignal.any([client.stop, AbortSignal.timeout(10_000)]);
  try {
    for await (const _ of subscribe(client.target, EventsDocument, { filter: { projectId }, after }, { signal: enough })) return SERVED;
    return null;
  } catch (error) {
    return error instanceof RequestRefused ? error.code : null;
  }
}

let place: string | null = null;
const ofFeed = { stream: 'feed', jobId: '' } as const;
while (!client.stop.aborted) {
  const signal = AbortSignal.any([client.stop, AbortSignal.timeout(random.pick([500, 3_000, 20_000]))]);
  const slowMs = random.chance(0.2) ? 150 : 0;
  const { cursor, isOver } = await follow({ ...ofFeed, after: place, slowMs, signal, onFrame: hear });
  if (isOver) break;
  place = cursor;
  if (place !== null && random.chance(0.3)) await probe(place);
  while (watching.size < mostAtOnce && late.length > 0) begin(late.shift() ?? '');
}
// On a new connection, up to the present end.
await follow({ ...ofFeed, after: place, slowMs: 0, signal: lastCall.signal, onFrame: ({ state }) => state === 'LIVE' });
await Promise.all(watching);
notebook.close();
