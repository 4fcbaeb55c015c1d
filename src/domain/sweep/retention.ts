/**
 * Retention: which entries of streams are kept, and for how long.
 *
 * Entries are deleted some time after their job has ended. A log over its size limit loses its
 * oldest chunks while the job still runs. Old metric points and telemetry samples are thinned.
 * Deleted entries are counted, so that a reader learns how many it missed (P8).
 *
 * The samples of a device, which has no end, are deleted when they are as old themselves.
 *
 * The streams of deleted jobs and devices are deleted as well (`removeJobs`). They are not counted,
 * since nobody can read them. The event that tells of a deletion is kept as long as those of ended
 * jobs.
 *
 * Before that, logs of earlier versions get their line numbers (domain/logs/numbering.ts), and
 * curves get their tiers (store/queries/tiers.ts).
 *
 * The work is done in small steps with pauses. Each step is a write of its own and may be the last:
 * after a restart there is nothing to resume.
 */
import { lockStream, removeDeletions, removeLeft, removeOldest, shortenLog, takeTurn, thinStream } from '../../store/changes/retention.ts';
import { extendTiers } from '../../store/changes/tiers.ts';
import {
  type Due,
  type DueStream,
  deletedStreams,
  devicesAfter,
  dueStreamsOfJobs,
  dueStreamsOfOpenJobs,
  lastOfJobs,
  lastOfOpenJobs,
  streamsOfDevices,
} from '../../store/queries/retention.ts';
import { metricPointsAfter, telemetrySamplesAfter } from '../../store/queries/streams.ts';
import { isUntiered } from '../../store/queries/tiers.ts';
import type { StreamRow } from '../../store/schema/tables.ts';
import type { Tx } from '../../store/store.ts';
import type { Domain } from '../core/domain.ts';
import { typeOfId } from '../core/ids.ts';
import type { RetentionRules } from '../core/limits.ts';
import type { StreamKind } from '../core/vocabulary.ts';
import { isUnnumbered, numberLog } from '../logs/numbering.ts';
import { keptPoints, keptSamples, wholeMinutes } from './thinning.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/**
 * Streams of running jobs are checked often, because a log may grow fast. Those of ended jobs can
 * wait.
 */
const OPEN_EVERY_MS = MINUTE_MS;
const ENDED_EVERY_MS = 60 * MINUTE_MS;
/** Jobs whose streams are looked through at once: a few milliseconds of the thread. */
const JOBS_AT_ONCE = 2_000;
const DEVICES_AT_ONCE = 64;
const STREAMS_AT_ONCE = 64;
/**
 * Entries deleted per step: a few milliseconds of SQLite, during which other commits wait. Log
 * chunks are larger.
 */
const AT_ONCE: Readonly<Record<StreamKind, number>> = { event: 250, metric: 500, telemetry: 500, log: 100 };
const SHORTEST_PAUSE_MS = 5;
/**
 * The pause after a step, as a multiple of its time: other writers have the database four fifths of
 * the time.
 */
const PAUSE = 4;

const pauseAfter = (tookMs: number): number => Math.max(SHORTEST_PAUSE_MS, PAUSE * tookMs);

/** Rejects when retention is stopped. */
type Pause = (milliseconds: number) => Promise<void>;

class Stopped extends Error {}

/** Applies the rules at intervals until it is stopped. Of several gateways, the elected one. */
export function startRetention(domain: Domain, rules: RetentionRules, onError: (error: unknown) => void): () => Promise<void> {
  let stop = () => {};
  let isStopped = false;
  const pause: Pause = (milliseconds) =>
    new Promise((resolve, reject) => {
      const stopTimer = domain.clock.after(milliseconds, resolve);
      stop = () => {
        stopTimer();
        reject(new Stopped());
      };
      if (isStopped) stop();
    });
  const run = async () => {
    for (let sinceEnded = ENDED_EVERY_MS; ; sinceEnded += OPEN_EVERY_MS) {
      await pause(OPEN_EVERY_MS);
      if (!domain.store.isElected) continue;
      const isTime = sinceEnded >= ENDED_EVERY_MS;
      if (isTime) sinceEnded = 0;
      const round = removeDeleted(domain, pause).then(() => applyRetention(domain, rules, { pause, which: isTime ? 'all' : 'open' }));
      await round.catch((error: unknown) => {
        if (error instanceof Stopped) throw error;
        // The disk is full or the database is unreachable: the next run tries again.
        onError(error);
      });
    }
  };
  const running = run().catch((error: unknown) => {
    if (!(error instanceof Stopped)) onError(error);
  });
  return async () => {
    isStopped = true;
    stop();
    await running;
  };
}

/**
 * Deletes the remaining stream entries of deleted jobs. Ends early if another gateway is doing the
 * same.
 */
export async function removeDeleted(domain: Domain, pause: Pause): Promise<void> {
  const step: Step = async (tx, stream) => (await removeLeft(tx, stream, AT_ONCE[stream.kind])) === AT_ONCE[stream.kind];
  for (;;) {
    const streams = await domain.store.read.run(deletedStreams, { limit: STREAMS_AT_ONCE });
    for (const stream of streams) if (!(await repeatOn(domain, stream, step, pause))) return;
    if (streams.length < STREAMS_AT_ONCE) return;
  }
}

export interface RetentionRun {
  readonly pause: Pause;
  /** Streams of running jobs, or of all jobs and devices. */
  readonly which: 'open' | 'all';
}

/**
 * Deletes everything that is past its retention. Ends early if another gateway is doing the same.
 */
export async function applyRetention(domain: Domain, rules: RetentionRules, { pause, which }: RetentionRun): Promise<void> {
  for await (const stream of streamsDue(domain, rules, { pause, which })) {
    // Lines can be counted only as long as they are there.
    if (isUnnumbered(stream)) await numberLog(domain, stream.jobId, (tookMs) => pause(pauseAfter(tookMs)));
    if (isUntiered(stream) && !(await repeatOn(domain, stream, addToTiers, pause))) return;
    const step = await stepFor(domain, rules, stream, stream.finishedAt);
    if (step && !(await repeatOn(domain, stream, step, pause))) return;
  }
  if (which === 'open' || rules.eventDays === null) return;
  const before = domain.clockGuard.longAgo(rules.eventDays * DAY_MS);
  await repeat(domain, async (tx) => (await removeDeletions(tx, before, AT_ONCE.event)) === AT_ONCE.event, pause);
}

/** The streams that may have something due, read page by page in the thread for walks. */
async function* streamsDue(
  { store: { read }, clockGuard }: Domain,
  rules: RetentionRules,
  { pause, which }: RetentionRun,
): AsyncGenerator<DueStream> {
  const walks = read.walks ?? read;
  const ago = (days: number | null) => (days === null ? null : clockGuard.longAgo(days * DAY_MS));
  const due: Due = {
    eventsBefore: ago(rules.eventDays),
    logsBefore: ago(rules.logDays),
    metricsBefore: ago(rules.metricDays),
    telemetryBefore: ago(rules.telemetryDays),
    logBytes: rules.logBytes,
    thinsMetrics: rules.thinMetricDays === null ? 0 : 1,
    thinsTelemetry: rules.thinTelemetryDays === null ? 0 : 1,
  };
  const [lastOf, streamsOf] = which === 'open' ? [lastOfOpenJobs, dueStreamsOfOpenJobs] : [lastOfJobs, dueStreamsOfJobs];
  for (let after = ''; ; ) {
    const [last] = await walks.run(lastOf, { after, limit: JOBS_AT_ONCE });
    yield* await walks.run(streamsOf, { ...due, after, upTo: last?.id ?? AFTER_ALL });
    if (!last) break;
    after = last.id;
    await pause(SHORTEST_PAUSE_MS);
  }
  if (which === 'open') return;
  for (let after = ''; ; ) {
    const devices = await read.run(devicesAfter, { after, limit: DEVICES_AT_ONCE });
    for (const stream of await streamsOfDevices(
      read,
      devices.map(({ id }) => id),
    ))
      yield { ...stream, finishedAt: null };
    const last = devices.at(-1);
    if (!last || devices.length < DEVICES_AT_ONCE) return;
    after = last.id;
    await pause(SHORTEST_PAUSE_MS);
  }
}
/** Comes after every id. */
const AFTER_ALL = 'zzzz';

/** Deletes a little from a locked stream. Returns whether there may be more. */
type Step = (tx: Tx, stream: StreamRow) => Promise<boolean>;

/** Adds points to the tiers of their curves. Usually the report that completes them has done it. */
const addToTiers: Step = async (tx, stream) => isUntiered(stream) && isUntiered({ ...stream, tiered: await extendTiers(tx, stream) });

/** Returns the step that the stream needs, or null. */
async function stepFor(
  { clockGuard, store }: Domain,
  rules: RetentionRules,
  stream: StreamRow,
  finishedAt: Date | null,
): Promise<Step | null> {
  const daysAgo = (days: number) => clockGuard.longAgo(days * DAY_MS).getTime();
  const { kind } = stream;
  const isPast = (days: number | null) => days !== null && finishedAt !== null && finishedAt.getTime() < daysAgo(days);
  const limit = AT_ONCE[kind];
  const days = { event: rules.eventDays, log: rules.logDays, telemetry: rules.telemetryDays, metric: rules.metricDays }[kind];
  if (isPast(days) && stream.first <= stream.last) return async (tx, stream) => (await removeOldest(tx, stream, limit)) === limit;
  const { logBytes: bytes } = rules;
  if (kind === 'log') {
    if (bytes === null || stream.bytes <= bytes) return null;
    return async (tx, stream) => (await shortenLog(tx, stream, { bytes, limit })) > 0;
  }
  if (kind === 'event') return null;
  if (typeOfId(stream.jobId) === 'Device' && days !== null) {
    const before = daysAgo(days);
    const [oldest] = await store.read.run(telemetrySamplesAfter, { jobId: stream.jobId, after: stream.first - 1, limit: 1 });
    if (oldest && oldest.at.getTime() < before) return (tx, stream) => removeOlder(tx, stream, { before, limit });
  }
  const thinDays = kind === 'metric' ? rules.thinMetricDays : rules.thinTelemetryDays;
  if (thinDays === null || stream.thinned >= stream.last) return null;
  const before = isPast(thinDays) ? Number.POSITIVE_INFINITY : daysAgo(thinDays);
  const from = { jobId: stream.jobId, after: stream.thinned, limit: 1 };
  const [oldest] = await (kind === 'metric' ? store.read.run(metricPointsAfter, from) : store.read.run(telemetrySamplesAfter, from));
  if (!oldest || oldest.at.getTime() >= before) return null;
  return (tx, stream) => thinSome(tx, { ...stream, kind }, { before, limit, oneOf: rules.metricsOneOf });
}

interface Until {
  /** Entries of this time and later stay as they are. */
  readonly before: number;
  readonly limit: number;
}

const untilYoung = <R extends { readonly at: Date }>(rows: readonly R[], before: number): readonly R[] => {
  const young = rows.findIndex(({ at }) => at.getTime() >= before);
  return young < 0 ? rows : rows.slice(0, young);
};

/** Deletes the oldest samples up to the first that is not old enough. */
async function removeOlder(tx: Tx, stream: StreamRow, { before, limit }: Until): Promise<boolean> {
  const oldest = await tx.run(telemetrySamplesAfter, { jobId: stream.jobId, after: stream.first - 1, limit });
  const old = untilYoung(oldest, before).length;
  if (old > 0) await removeOldest(tx, stream, old);
  return old === limit;
}

async function thinSome(
  tx: Tx,
  stream: StreamRow & { kind: 'metric' | 'telemetry' },
  { before, limit, oneOf }: Until & { readonly oneOf: number },
): Promise<boolean> {
  const from = { jobId: stream.jobId, after: stream.thinned, limit };
  const thin = async <R extends { seq: number; stepNumber: number; name?: string }>(rows: readonly R[], kept: ReadonlySet<R>) => {
    const upTo = rows.at(-1)?.seq;
    if (upTo === undefined) return;
    // The last entry of a stream always stays: it is the newest known value.
    const gone = rows.filter((row) => !kept.has(row) && row.seq !== stream.last);
    await thinStream(tx, stream, gone, upTo);
  };
  if (stream.kind === 'metric') {
    const rows = untilYoung(await tx.run(metricPointsAfter, from), before);
    await thin(rows, keptPoints(rows, oneOf));
    return rows.length === limit;
  }
  const rows = untilYoung(await tx.run(telemetrySamplesAfter, from), before);
  const isCut = rows.length === limit;
  const window = isCut ? wholeMinutes(rows) : rows;
  await thin(window, keptSamples(window));
  return isCut;
}

/** Repeats a step on a locked stream: see `repeat`. */
function repeatOn(domain: Domain, { jobId, kind }: StreamRow, step: Step, pause: Pause): Promise<boolean> {
  const onStream = async (tx: Tx) => {
    const [stream] = await tx.run(lockStream, { jobId, kind });
    return stream !== undefined && (await step(tx, stream));
  };
  return repeat(domain, onStream, pause);
}

/** Repeats a step until nothing is left. Returns false if another gateway is doing the same. */
async function repeat({ store, clock }: Domain, step: (tx: Tx) => Promise<boolean>, pause: Pause): Promise<boolean> {
  for (;;) {
    const startedAt = clock.elapsed();
    const outcome = await store.write(async (tx) => {
      if (!(await takeTurn(tx))) return 'taken';
      return (await step(tx)) ? 'more' : 'done';
    });
    await pause(pauseAfter(clock.elapsed() - startedAt));
    if (outcome !== 'more') return outcome === 'done';
  }
}
