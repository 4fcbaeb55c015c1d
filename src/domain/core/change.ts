/** One write in progress: the transaction, with who does it and when. */

import { insertEvent, takeNumbers } from '../../store/changes/streams.ts';
import type { EventRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { feedTopic, type Topic, type Tx } from '../../store/store.ts';
import type { Principal } from '../access/principal.ts';
import type { Domain } from './domain.ts';
import { badRequest } from './refusals.ts';

export interface Change {
  readonly tx: Tx;
  readonly domain: Domain;
  /** The moment of the whole change. */
  readonly now: Date;
  /** Who did it, as events say: a principal's name, or `trainyard` for what the gateway does by itself. */
  readonly actor: string;
  /** Counts once this is committed, and not at all when it is undone or runs again. */
  count(what: () => void): void;
  /** The key that it was done with; null where there was none. */
  readonly keyId: string | null;
  /** Of the request that asked for it, as logs name it; null where none did. */
  readonly requestId: string | null;
}

/** The gateway itself, where no one asked: an expired lease, a timeout. */
export const gatewayActor = 'trainyard';

/** A change that meets another one's row looks again; past this many it is no race but a fault. */
const MOST_TRIES = 10;

/** Runs a write on behalf of a principal; null is the gateway itself. */
export async function change<T>(domain: Domain, principal: Principal | null, work: (change: Change) => Promise<T>): Promise<T> {
  const { store, clock } = domain;
  const who = { actor: principal?.name ?? gatewayActor, keyId: principal?.keyId ?? null, requestId: domain.requestId() };
  for (let tries = 1; ; tries++) {
    let counts: (() => void)[] = [];
    try {
      const done = await store.write((tx) => {
        counts = [];
        const count = (what: () => void) => void counts.push(what);
        return work({ tx, domain, now: clock.now(), ...who, count });
      });
      for (const count of counts) count();
      return done;
    } catch (error) {
      // Names and texts are checked for it with a word about which; what is left is an id, and there is no such id.
      if (store.isUnstorableText(error)) throw badRequest.nulInId();
      // Another change made meanwhile what this one had looked for and not found. Where writes run one at a time there is no such thing.
      if (tries === MOST_TRIES || !store.isUniqueViolation(error)) throw error;
    }
  }
}

type Happened = Pick<EventRow, 'type'> & Partial<Omit<EventRow, 'type' | 'jobId' | 'seq' | 'position' | 'projectId' | 'at' | 'actor'>>;

/** Stores that something happened to a job, in the transaction that makes it true. Answers the event's number in the job's stream. */
export async function record({ tx, now, actor }: Change, job: { id: string; projectId: string }, happened: Happened): Promise<number> {
  const seq = await takeNumbers(tx, job.id, 'event', 1);
  await insertRows(tx, insertEvent, [
    {
      jobId: job.id,
      seq,
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
    },
  ]);
  tx.touch(topics.events(job.id));
  tx.touch(feedTopic);
  return seq;
}

const WORK = 'work:';
/** The queue that this topic says has work, if it says so of any. */
export const queueOfTopic = (topic: Topic): string | null => (topic.startsWith(WORK) ? topic.slice(WORK.length) : null);

/** The names of what a listener can wait for. */
export const topics = {
  events: (jobId: string) => `job:${jobId}:event`,
  metrics: (jobId: string) => `job:${jobId}:metric`,
  telemetry: (jobId: string) => `job:${jobId}:telemetry`,
  log: (jobId: string) => `job:${jobId}:log`,
  /** A step of this project can be claimed. */
  queue: (projectId: string) => `queue:${projectId}`,
  /** A step of any project can be claimed. */
  anyQueue: 'queue',
  /** A step of this queue can be claimed: wakes one who waits for work, and as many as there is work for. */
  work: (queueId: string) => `${WORK}${queueId}`,
  /** A round can be aggregated. */
  aggregations: 'aggregations',
  /** A step of any project can no longer be claimed. For those who count them: to wake all who wait for work would be for nothing. */
  taken: 'taken',
  /** A device's slots, labels, resources or draining changed, or a lease of it ended. */
  device: (deviceId: string) => `device:${deviceId}`,
  key: (keyId: string) => `key:${keyId}`,
};
