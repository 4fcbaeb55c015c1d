/** Frames: what a stream delivers, with the cursor to resume from. */
import { encodeCursor, type StreamName } from '../domain/cursors.ts';
import type { Domain } from '../domain/domain.ts';
import type { Waker } from '../domain/waker.ts';
import type { Topic } from '../store/store.ts';
import { pull } from './pull.ts';
import { watch } from './tails.ts';

/** REPLAYING: history. LIVE: caught up. ENDED: nothing more will come. */
export type StreamState = 'REPLAYING' | 'LIVE' | 'ENDED';

export interface Frame<R> {
  readonly cursor: string;
  readonly state: StreamState;
  /** Entries that are gone between this frame and the one before. */
  readonly missed: number;
  readonly rows: readonly R[];
}

/** What was read after a number. */
export interface Batch<R> {
  /** What is wanted of it. */
  readonly rows: readonly R[];
  /** The number up to which everything was looked at, whether it was wanted or not. */
  readonly upTo: number;
  readonly hasMore: boolean;
  /** Nothing will be appended any more. */
  readonly isOver: boolean;
  /** Entries from there to here that retention has removed. */
  readonly missed: number;
}

export interface FrameSource<R> {
  readonly stream: StreamName;
  /** Names all that decides what is read, besides the place: the stream with its filter. */
  readonly name: string;
  readonly topics: readonly Topic[];
  /** Null: what the stream belongs to is gone. */
  read(after: number): Promise<Batch<R> | null>;
}

interface Look<R> {
  /** Null when there is nothing to say, though the place may have moved on past what is not wanted. */
  readonly frame: Frame<R> | null;
  readonly upTo: number;
  readonly hasMore: boolean;
}

/**
 * The frames of a stream after a number: history in as many as it takes, then at once one that has caught up, even if it is empty, then what is
 * new as it comes, and the end. Ended by the consumer, or after the frame that says ENDED.
 */
export function frames<R>(
  domain: Domain,
  wakeups: Waker,
  source: FrameSource<R>,
  after: number,
): AsyncIterableIterator<Frame<R>, undefined> {
  const shared = watch(wakeups, domain.clock, source.name, source.topics);
  let place = after;
  let isCaughtUp = false;
  return pull<Frame<R>>(wakeups, domain.clock, {
    topics: source.topics,
    async look() {
      for (;;) {
        const found = await shared.read(`${place} ${isCaughtUp}`, () => lookAt(domain, source, place, isCaughtUp));
        if (found === null) return { end: true };
        place = found.upTo;
        if (found.frame) {
          isCaughtUp ||= found.frame.state !== 'REPLAYING';
          return { value: found.frame, isLast: found.frame.state === 'ENDED' };
        }
        if (!found.hasMore) return null;
      }
    },
    end: () => shared.leave(),
  });
}

async function lookAt<R>(domain: Domain, source: FrameSource<R>, after: number, isCaughtUp: boolean): Promise<Look<R> | null> {
  const batch = await source.read(after);
  if (!batch) return null;
  const { rows, upTo, hasMore, missed } = batch;
  // Once it has caught up, what comes is new, however much of it there is.
  const state: StreamState = hasMore ? (isCaughtUp ? 'LIVE' : 'REPLAYING') : batch.isOver ? 'ENDED' : 'LIVE';
  const isNews = rows.length > 0 || missed > 0 || state === 'ENDED' || (state === 'LIVE' && !isCaughtUp);
  const frame = isNews ? { cursor: encodeCursor(domain, { ...source.stream, seq: upTo }), state, missed, rows } : null;
  return { frame, upTo, hasMore };
}
