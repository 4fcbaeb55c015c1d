/**
 * Merges streams into one, in the order in which things happened. Each stream is in order by
 * itself; across streams, the earliest entry is shown first.
 *
 * A stream that still replays what is stored is awaited, because it may have something earlier. So
 * is one that lost its connection. A live stream gets a moment, as long as the network takes to
 * deliver what was written at the same time. Only the end of everything waits longer: it is shown
 * when the other streams have nothing left.
 */
import type { StreamState } from '../../client/generated.ts';

/** One entry of a stream. */
export interface Entry {
  /** When it happened, in milliseconds. */
  readonly at: number;
  /** Breaks ties between entries of the same time: the smaller goes first. */
  readonly rank: number;
  /** The end of everything followed, whatever its time. */
  readonly isEnd: boolean;
  show(): Promise<void>;
}

/** One delivery of a stream. */
export interface Batch {
  readonly state: StreamState;
  readonly entries: readonly Entry[];
}

export interface Stream {
  readonly batches: AsyncIterable<Batch>;
  /** Whether its connection is lost, so its entries are unknown. */
  isLost(): boolean;
}

/** How long to wait for a live stream's entries of the same time. */
const LIVE_MS = 250;
/** How long to wait for a stream that replays what is stored. */
const REPLAY_MS = 5_000;
/**
 * How long to wait for a live stream's end once everything has ended. A stream lives longer if
 * devices may still report late.
 */
const END_MS = 10_000;
/** The most batches held for one stream. Beyond that, its entries are shown without waiting. */
const MOST_HELD = 32;

/** Shows all entries of these streams, until all have ended. */
export async function showInOrder(streams: readonly Stream[]): Promise<void> {
  const lanes = streams.map((stream) => new Lane(stream));
  for (;;) {
    for (const lane of lanes) lane.read();
    const next = lanes.filter((lane) => lane.head !== undefined).sort(byTime)[0];
    const waiting = lanes.flatMap((lane) => lane.reading ?? []);
    if (next?.head === undefined) {
      if (waiting.length === 0) return;
      await Promise.race(waiting);
      continue;
    }
    const waitMs = Math.max(...lanes.map((lane) => (lane === next ? 0 : next.waitFor(lane))));
    if (waitMs > 0) await raceWithin(waitMs, waiting);
    else await next.take().show();
  }
}

/** One stream, and its batches that are not shown yet. */
class Lane {
  readonly #stream: Stream;
  readonly #batches: AsyncIterator<Batch>;
  #held: { readonly batch: Batch; readonly arrivedAt: number; shown: number }[] = [];
  #state: StreamState = 'REPLAYING';
  #error: { readonly cause: unknown } | undefined;
  /** Settles when a batch has arrived, or the stream has ended. */
  reading: Promise<void> | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#batches = stream.batches[Symbol.asyncIterator]();
  }

  get head(): Entry | undefined {
    const first = this.#held[0];
    return first?.batch.entries[first.shown];
  }

  /** Requests the next batch, unless enough are held. Throws the stream's error. */
  read(): void {
    if (this.#error) throw this.#error.cause;
    if (this.reading || this.#state === 'ENDED' || this.#held.length >= MOST_HELD) return;
    this.reading = this.#batches.next().then(
      (result) => {
        this.reading = undefined;
        this.#state = result.done ? 'ENDED' : result.value.state;
        if (!result.done && result.value.entries.length > 0)
          this.#held.push({ batch: result.value, arrivedAt: performance.now(), shown: 0 });
      },
      (cause: unknown) => {
        this.reading = undefined;
        this.#error = { cause };
      },
    );
  }

  take(): Entry {
    const [first] = this.#held;
    const entry = first?.batch.entries[first.shown];
    if (first === undefined || entry === undefined) throw new Error('Nothing is held of this stream.');
    first.shown += 1;
    if (first.shown === first.batch.entries.length) this.#held.shift();
    return entry;
  }

  /** How long this one's head has to wait for another stream, which may have something earlier. */
  waitFor(other: Lane): number {
    const [first] = this.#held;
    if (first === undefined || other.head !== undefined || other.#state === 'ENDED') return 0;
    const waited = performance.now() - first.arrivedAt;
    const isBehind = other.#state === 'REPLAYING' || other.#stream.isLost();
    if (this.head?.isEnd) return isBehind ? Number.POSITIVE_INFINITY : END_MS - waited;
    if (isBehind) return REPLAY_MS - waited;
    // Replayed entries are older than anything that a live stream may still deliver.
    return first.batch.state === 'REPLAYING' || this.#held.length >= MOST_HELD ? 0 : LIVE_MS - waited;
  }
}

function byTime(one: Lane, other: Lane): number {
  const [a, b] = [one.head, other.head];
  return a && b ? Number(a.isEnd) - Number(b.isEnd) || a.at - b.at || a.rank - b.rank : 0;
}

async function raceWithin(ms: number, promises: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    if (ms !== Number.POSITIVE_INFINITY) timer = setTimeout(resolve, ms);
  });
  await Promise.race([...promises, late]);
  clearTimeout(timer);
}
