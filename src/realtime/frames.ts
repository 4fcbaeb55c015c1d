/** Frames: what a stream delivers, each with the cursor to resume from. */
import type { Domain } from '../domain/core/domain.ts';
import type { Waker } from '../domain/core/waker.ts';
import type { Topic } from '../store/store.ts';
import { type Bookmark, type Pulled, pull } from './pull.ts';
import { type Shared, watch } from './shared-reads.ts';

/** REPLAYING: history. LIVE: caught up. ENDED: nothing more will follow. */
export type StreamState = 'REPLAYING' | 'LIVE' | 'ENDED';

export interface Frame<R> {
  readonly cursor: string;
  readonly state: StreamState;
  /** Entries between the previous frame and this one that retention has removed. */
  readonly missed: number;
  readonly rows: readonly R[];
}

/** A position in a stream. Its text tells it from others. */
interface Place {
  toString(): string;
}

/** The result of reading after a position. */
export interface Batch<R, P = number> {
  /** The rows that pass the filter. */
  readonly rows: readonly R[];
  /** The position up to which every row was read, whether or not it passed the filter. */
  readonly upTo: P;
  readonly hasMore: boolean;
  /** Nothing more will be appended. */
  readonly isOver: boolean;
  /** The number of rows read, whether or not they passed the filter. */
  readonly read: number;
  /** Entries in this range that retention has removed. */
  readonly missed: number;
}

export interface FrameSource<R, P = number> {
  cursorOf(place: P): string;
  /**
   * Identifies the stream and its filter: everything that decides what is read, except the
   * position.
   */
  readonly name: string;
  readonly topics: readonly Topic[];
  readonly rowsAtMost: number;
  /** Reads at most this many rows. Null if the stream's job is gone. */
  read(after: P, rows: number): Promise<Batch<R, P> | null>;
}

/**
 * A frame and the position after it. It is shared by subscribers, so it carries what they need to
 * continue.
 */
interface Look<R, P> extends Frame<R> {
  /**
   * Whether the frame is to be sent. If not, the position may still have moved past rows that the
   * filter drops.
   */
  readonly isNews: boolean;
  readonly read: number;
  readonly upTo: P;
  readonly hasMore: boolean;
}

/**
 * The frames of a stream after a position. First comes history, in as many frames as needed. Then
 * one LIVE frame at once, even if it is empty. Then new entries as they come, and an ENDED frame at
 * the end. It stops when the consumer ends it, or after the ENDED frame.
 *
 * A frame that is too large for one answer is given again with half of its rows, down to a single
 * one, so the stream can always continue (P7). After that, frames grow again.
 */
export function frames<R, P extends Place = number>(domain: Domain, wakeups: Waker, source: FrameSource<R, P>, after: P): Pulled<Frame<R>> {
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
        const read = () => lookAt(source, { after: place, rows, isCaughtUp });
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
    bookmark: {
      get: (): BookmarkOf<P> => ({ name: `${place} ${isCaughtUp}`, place, isCaughtUp }),
      goTo(bookmark) {
        ({ place, isCaughtUp } = bookmark as BookmarkOf<P>); // of a source of the same question
      },
    },
    join() {
      const joined = watch(wakeups, domain.clock, source.name, source.topics);
      shared = joined;
      return () => joined.leave();
    },
  });
}

interface BookmarkOf<P> extends Bookmark {
  readonly place: P;
  readonly isCaughtUp: boolean;
}

interface From<P> {
  readonly after: P;
  readonly rows: number;
  readonly isCaughtUp: boolean;
}

async function lookAt<R, P>(source: FrameSource<R, P>, { after, rows: atMost, isCaughtUp }: From<P>): Promise<Look<R, P> | null> {
  const batch = await source.read(after, atMost);
  if (!batch) return null;
  const { rows, read, upTo, hasMore, missed } = batch;
  // After the stream has caught up, everything that follows is LIVE, however much it is.
  const state: StreamState = hasMore ? (isCaughtUp ? 'LIVE' : 'REPLAYING') : batch.isOver ? 'ENDED' : 'LIVE';
  const isNews = rows.length > 0 || missed > 0 || state === 'ENDED' || (state === 'LIVE' && !isCaughtUp);
  return { cursor: source.cursorOf(upTo), state, missed, rows, isNews, read, upTo, hasMore };
}
