/** A write in progress: its transaction, its principal and its time. */

import { appendEventsLater, insertEvent, takeNumbers } from '../../store/changes/streams.ts';
import type { EventRow, JobRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { feedTopic, type Topic, type Tx } from '../../store/store.ts';
import type { Principal } from '../access/principal.ts';
import type { Domain } from './domain.ts';
import { badRequest } from './request-refusals.ts';

export interface Change {
  readonly tx: Tx;
  readonly domain: Domain;
  /** The time of the whole change. */
  readonly now: Date;
  /** The actor in events: a principal's name, or `trainyard` for the gateway itself. */
  readonly actor: string;
  /** Runs once the change is committed. It does not run if the change is undone or retried. */
  count(what: () => void): void;
  /** The key of the request. Null if there is none. */
  readonly keyId: string | null;
  /** The id of the request, as in the log. Null outside a request. */
  readonly requestId: string | null;
  /** The jobs that it has locked, as they are now. */
  readonly jobs: Map<string, JobRow>;
  /** Events that are stored before the change ends, in their order. */
  readonly events: RecordedEvent[];
}

/** An event without its number in the job's stream. */
type RecordedEvent = Omit<EventRow, 'seq' | 'position'>;

/** The actor of changes by the gateway itself: an expired lease, a timeout. */
export const gatewayActor = 'trainyard';

/**
 * A change that conflicts with another one's row runs again. After this many tries it is not a race
 * but a bug.
 */
const MOST_TRIES = 10;

/** Runs a write on behalf of a principal. Null is the gateway itself. */
export async function change<T>(domain: Domain, principal: Principal | null, work: (change: Change) => Promise<T>): Promise<T> {
  const { store, clock } = domain;
  const who = { actor: principal?.name ?? gatewayActor, keyId: principal?.keyId ?? null, requestId: domain.requestId() };
  for (let tries = 1; ; tries++) {
    let counts: (() => void)[] = [];
    try {
      const done = await store.write(async (tx) => {
        counts = [];
        const count = (what: () => void) => void counts.push(what);
        const change: Change = { tx, domain, now: clock.now(), ...who, count, jobs: new Map(), events: [] };
        const done = await work(change);
        await storeLastEvents(change);
        return done;
      });
      for (const count of counts) count();
      return done;
    } catch (error) {
      // Names and texts were checked before, with messages of their own. So this is an id, and no
      // such id exists.
      if (store.isUnstorableText(error)) throw badRequest.nulInId();
      // Another change has created what this one did not find. It cannot happen where writes run
      // one at a time.
      if (tries === MOST_TRIES || !store.isUniqueViolation(error)) throw error;
    }
  }
}

type Happened = Pick<EventRow, 'type'> & Partial<Omit<EventRow, 'type' | 'jobId' | 'seq' | 'position' | 'projectId' | 'at' | 'actor'>>;

/** Records an event of a job. It is stored with the change. */
export function record({ tx, now, actor, events }: Change, job: { id: string; projectId: string }, happened: Happened): void {
  events.push({
    jobId: job.id,
    projectId: job.projectId,
    at: now,
    actor,
    stepId: null,
    fragmentId: null,
    from: null,
    to: null,
    attempt: null,
    reason: null,
    description: '',
    exitCode: null,
    details: null,
    ...happened,
  });
  tx.touch(topics.events(job.id));
  tx.touch(feedTopic);
}

/** The same. Returns the number of the event in the job's stream, so that rows can refer to it. */
export async function recordNow(change: Change, job: { id: string; projectId: string }, happened: Happened): Promise<number> {
  record(change, job, happened);
  return (await storeEvents(change)).get(job.id) ?? 0;
}

/**
 * Stores the events that are recorded so far: each stream is numbered once, and they are inserted
 * together. Streams are locked by the ids of their jobs, after everything else. Returns the last
 * number of each job.
 */
export async function storeEvents({ tx, events }: Change): Promise<ReadonlyMap<string, number>> {
  const recorded = events.splice(0);
  const last = new Map<string, number>();
  for (const [jobId, { length }] of [...Map.groupBy(recorded, (event) => event.jobId)].sort(([a], [b]) => (a < b ? -1 : 1)))
    last.set(jobId, (await takeNumbers(tx, jobId, 'event', length)) - 1);
  const rows = recorded.map((event) => {
    const seq = (last.get(event.jobId) ?? 0) + 1;
    last.set(event.jobId, seq);
    return { ...event, seq };
  });
  await insertRows(tx, insertEvent, rows);
  return last;
}

/** Stores the events at the end of a change. Nobody needs their numbers. */
async function storeLastEvents(change: Change): Promise<void> {
  const { tx, events } = change;
  const [first] = events;
  const isOfOneJob = first !== undefined && events.every(({ jobId }) => jobId === first.jobId);
  if (isOfOneJob && (await appendEventsLater(tx, first.jobId, events))) events.length = 0;
  else await storeEvents(change);
}

const WORK = 'work:';
/** The queue in a topic that announces work. Null for other topics. */
export const queueOfTopic = (topic: Topic): string | null => (topic.startsWith(WORK) ? topic.slice(WORK.length) : null);

const KEY = 'key:';
/** The key in a topic that announces its change or end. Null for other topics. */
export const keyOfTopic = (topic: Topic): string | null => (topic.startsWith(KEY) ? topic.slice(KEY.length) : null);

/** The topics that a listener can wait for. */
export const topics = {
  events: (jobId: string) => `job:${jobId}:event`,
  metrics: (jobId: string) => `job:${jobId}:metric`,
  telemetry: (jobId: string) => `job:${jobId}:telemetry`,
  log: (jobId: string) => `job:${jobId}:log`,
  /** A step of this project can be claimed. */
  queue: (projectId: string) => `queue:${projectId}`,
  /** A step of any project can be claimed. */
  anyQueue: 'queue',
  /**
   * A step of this queue can be claimed. It wakes one waiting claim, and more while there is work.
   */
  work: (queueId: string) => `${WORK}${queueId}`,
  /** A round can be aggregated. */
  aggregations: 'aggregations',
  /**
   * A step of any project can no longer be claimed. For listeners that count steps: waking all
   * waiting claims would be useless.
   */
  taken: 'taken',
  /** A device's slots, labels, resources or draining changed, or a lease of it ended. */
  device: (deviceId: string) => `device:${deviceId}`,
  /** A device was registered, changed or deleted, came online or went offline. */
  devices: 'devices',
  key: (keyId: string) => `${KEY}${keyId}`,
};
