/**
 * Several streams as one, in the order in which things happened. Each stream is in order by itself; between them, what came first is told first.
 *
 * A stream that still replays what is stored is waited for: it may hold something earlier. So is one that has lost its connection. One that is live is
 * given a moment, as long as the network takes to bring what was written at the same time. Nothing waits longer than that but the end of all: it is
 * told when the other streams have nothing more to tell.
 */
import type { StreamState } from '../../client/generated.ts';

/** One thing that a stream tells. */
export interface Entry {
  /** When it happened, in milliseconds. */
  readonly at: number;
  /** What goes first of things that happened at once: the smaller. */
  readonly rank: number;
  /** The end of what is followed, whatever the time says at which it came. */
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
  /** Whether its connection is lost, so that nothing is known of what it has to tell. */
  isLost(): boolean;
}

/** How long a live stream may take with what was written at the same time as what is held back. */
const LIVE_MS = 250;
/** How long one may take that replays what is stored. */
const REPLAY_MS = 5_000;
/** How long a live stream may take with its own end once it is known that all has ended. One goes on beyond that where devices may still come late. */
const END_MS = 10_000;
/** Deliveries that are held of one stream; beyond it, it is shown without waiting, and then read on. */
const MOST_HELD = 32;

/** Shows all that these streams tell, until all have ended. */
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

/** One stream: what it has delivered and is not shown yet. */
class Lane {
  readonly #stream: Stream;
  readonly #batches: AsyncIterator<Batch>;
  #held: { readonly batch: Batch; readonly arrivedAt: number; shown: number }[] = [];
  #state: StreamState = 'REPLAYING';
  #error: { readonly cause: unknown } | undefined;
  /** Settles when something has come, or nothing more will. */
  reading: Promise<void> | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#batches = stream.batches[Symbol.asyncIterator]();
  }

  get head(): Entry | undefined {
    const first = this.#held[0];
    return first?.batch.entries[first.shown];
  }

  /** Asks for the next delivery, unless enough is held. Throws what the stream failed with. */
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

  /** For how long the head of this one has to wait for another, which may have something earlier. */
  waitFor(other: Lane): number {
    const [first] = this.#held;
    if (first === undefined || other.head !== undefined || other.#state === 'ENDED') return 0;
    const waited = performance.now() - first.arrivedAt;
    const isBehind = other.#state === 'REPLAYING' || other.#stream.isLost();
    if (this.head?.isEnd) return isBehind ? Number.POSITIVE_INFINITY : END_MS - waited;
    if (isBehind) return REPLAY_MS - waited;
    // What is replayed here is older than what a live stream may still bring.
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
