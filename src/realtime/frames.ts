/** Frames: what a stream delivers, with the cursor to resume from. */
import { encodeCursor, type StreamName } from '../domain/core/cursors.ts';
import type { Domain } from '../domain/core/domain.ts';
import type { Waker } from '../domain/core/waker.ts';
import type { Topic } from '../store/store.ts';
import { type Pulled, pull } from './pull.ts';
import { type Shared, watch } from './shared-reads.ts';

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
  /** How many rows were read for it, wanted or not. */
  readonly read: number;
  /** Entries from there to here that retention has removed. */
  readonly missed: number;
}

export interface FrameSource<R> {
  readonly stream: StreamName;
  /** Names all that decides what is read, besides the place: the stream with its filter. */
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly rowsAtMost: number;
  /** So many rows at most. Null: what the stream belongs to is gone. */
  read(after: number, rows: number): Promise<Batch<R> | null>;
}

/** A frame, and where it leads. It is shared, so what is known of it stands in it. */
interface Look<R> extends Frame<R> {
  /** Whether there is something to tell. Where there is not, the place may have moved on past what is not wanted. */
  readonly isNews: boolean;
  readonly read: number;
  readonly upTo: number;
  readonly hasMore: boolean;
}

/**
 * The frames of a stream after a number: history in as many as it takes, then at once one that has caught up, even if it is empty, then what is
 * new as it comes, and the end. Ended by the consumer, or after the frame that says ENDED.
 *
 * A frame that turns out to be too much for one answer is given again with half of its rows, down to a single one: the stream can always go on (P7).
 * After that, frames grow again.
 */
export function frames<R>(domain: Domain, wakeups: Waker, source: FrameSource<R>, after: number): Pulled<Frame<R>> {
  let shared: Shared | undefined;
  let place = after;
  let isCaughtUp = false;
  let rowsAtMost = source.rowsAtMost;
  /** Where the newest frame began. */
  let before = { place, isCaughtUp, read: 0, isSingle: true };
  return pull<Frame<R>>(wakeups, domain.clock, {
    topics: source.topics,
    bytes: domain.limits.frameBytes,
    async look() {
      for (;;) {
        const rows = rowsAtMost;
        const read = () => lookAt(domain, source, { after: place, rows, isCaughtUp });
        const found = await (shared?.read(`${place} ${isCaughtUp} ${rows}`, read) ?? read());
        if (found === null) return { end: true };
        const { isNews, upTo, hasMore } = found;
        before = { place, isCaughtUp, read: found.read, isSingle: found.rows.length <= 1 };
        place = upTo;
        rowsAtMost = Math.min(source.rowsAtMost, rows * 2);
        if (isNews) {
          isCaughtUp ||= found.state !== 'REPLAYING';
          return { value: found, isLast: found.state === 'ENDED' };
        }
        if (!hasMore) return null;
      }
    },
    narrow() {
      if (before.isSingle) return false;
      rowsAtMost = Math.max(1, Math.floor(before.read / 2));
      ({ place, isCaughtUp } = before);
      return true;
    },
    join() {
      const joined = watch(wakeups, domain.clock, source.name, source.topics);
      shared = joined;
      return () => joined.leave();
    },
  });
}

interface From {
  readonly after: number;
  readonly rows: number;
  readonly isCaughtUp: boolean;
}

async function lookAt<R>(domain: Domain, source: FrameSource<R>, { after, rows: atMost, isCaughtUp }: From): Promise<Look<R> | null> {
  const batch = await source.read(after, atMost);
  if (!batch) return null;
  const { rows, read, upTo, hasMore, missed } = batch;
  // Once it has caught up, what comes is new, however much of it there is.
  const state: StreamState = hasMore ? (isCaughtUp ? 'LIVE' : 'REPLAYING') : batch.isOver ? 'ENDED' : 'LIVE';
  const isNews = rows.length > 0 || missed > 0 || state === 'ENDED' || (state === 'LIVE' && !isCaughtUp);
  return { cursor: encodeCursor(domain, { ...source.stream, seq: upTo }), state, missed, rows, isNews, read, upTo, hasMore };
}
