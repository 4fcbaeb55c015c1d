import { createParser } from 'eventsource-parser';
import { RequestRefused, type ResponseError, refuseRequest } from './errors.ts';
import { Heartbeat, type HeartbeatTimes } from './heartbeat.ts';
import { createRequester, reasonOf, refusalOf } from './request.ts';
import { graphqlUrl, headersOf, type Target } from './target.ts';
import {
  type Channel,
  type Ending,
  type Operation,
  type OperationEvents,
  openTimeoutMs,
  type Transport,
  type TransportEvents,
} from './transport.ts';

/**
 * Operations as server-sent events, each on its own HTTP request: the "distinct connections" mode
 * of graphql-sse's protocol. For networks that let no WebSocket through.
 *
 * The first stream to fail takes the others with it: what broke one connection to a gateway has
 * usually broken all.
 */
export function openEventStreams(target: Target, times: HeartbeatTimes, events: TransportEvents): Transport {
  return new EventStreams(target, times, events);
}

/**
 * A browser opens six connections to a host over HTTP/1.1, and requests need some of them. More
 * operations take turns: each resumes where it was.
 */
const streamsAtOnce = 4;
const turnMs = 2_000;

/** The gateway sends a comment at least twice in this time. */
const longestSilenceMs = 60_000;

/** One operation, which has a stream or waits for its turn. */
interface Entry {
  readonly operation: () => Operation;
  readonly events: OperationEvents;
  /** Ends its stream. Undefined while it has none. */
  stop: AbortController | undefined;
  /** Whether anything was delivered in this turn. */
  isServed: boolean;
  heardAt: number;
}

class EventStreams implements Transport {
  readonly #target: Target;
  readonly #times: HeartbeatTimes;
  readonly #events: TransportEvents;
  readonly #running = new Set<Entry>();
  readonly #waiting = new Set<Entry>();
  #turnTimer: ReturnType<typeof setTimeout> | undefined;
  /** Since the first stream was accepted. */
  #heartbeat: Heartbeat | undefined;
  #isOver = false;

  constructor(target: Target, times: HeartbeatTimes, events: TransportEvents) {
    this.#target = target;
    this.#times = times;
    this.#events = events;
  }

  open(operation: () => Operation, events: OperationEvents): Channel {
    const entry: Entry = { operation, events, stop: undefined, isServed: false, heardAt: 0 };
    this.#waiting.add(entry);
    this.#fill();
    return {
      close: () => {
        this.#remove(entry);
        this.#fill();
      },
    };
  }

  check(): void {
    this.#heartbeat?.check();
  }

  close(): void {
    this.#isOver = true;
    this.#heartbeat?.stop();
    clearTimeout(this.#turnTimer);
    for (const entry of this.#running) entry.stop?.abort();
  }

  /** Starts as many streams as there may be, and a turn if others wait. */
  #fill(): void {
    if (this.#isOver) return;
    for (const entry of this.#waiting) {
      if (this.#running.size >= streamsAtOnce) break;
      this.#waiting.delete(entry);
      this.#running.add(entry);
      void this.#run(entry);
    }
    if (this.#waiting.size > 0) this.#turnTimer ??= setTimeout(() => this.#turn(), turnMs);
  }

  /** Those that were served make room for those that wait, the longest-running first. */
  #turn(): void {
    this.#turnTimer = undefined;
    const served = [...this.#running].filter(({ isServed }) => isServed).slice(0, this.#waiting.size);
    for (const entry of served) {
      this.#remove(entry);
      this.#waiting.add(entry);
    }
    this.#fill();
  }

  #remove(entry: Entry): void {
    entry.stop?.abort();
    entry.stop = undefined;
    this.#running.delete(entry);
    this.#waiting.delete(entry);
  }

  async #run(entry: Entry): Promise<void> {
    const stop = new AbortController();
    entry.stop = stop;
    entry.isServed = false;
    const isCurrent = () => entry.stop === stop && !this.#isOver;
    const tooLate = setTimeout(() => stop.abort(new Error(`no answer within ${openTimeoutMs} ms`)), openTimeoutMs);
    try {
      const response = await fetch(graphqlUrl(this.#target), {
        method: 'POST',
        headers: { ...headersOf(this.#target), accept: 'text/event-stream' },
        body: JSON.stringify(entry.operation()),
        signal: stop.signal,
      });
      clearTimeout(tooLate);
      const isStream = response.ok && response.headers.get('content-type')?.startsWith('text/event-stream');
      if (!isStream || response.body === null) {
        const error = await refusalOf(this.#target, response);
        if (!isCurrent()) return;
        if (!(error instanceof RequestRefused)) throw error;
        this.#enterUp();
        this.#end(entry, { kind: 'refused', error });
        return;
      }
      if (!isCurrent()) return;
      this.#enterUp();
      entry.events.onAccepted();
      await this.#read(entry, response.body, isCurrent);
      throw new Error('the gateway closed the stream');
    } catch (error) {
      if (isCurrent()) this.#goDown(reasonOf(error));
    } finally {
      clearTimeout(tooLate);
    }
  }

  async #read(entry: Entry, body: ReadableStream<Uint8Array>, isCurrent: () => boolean): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = createParser({
      onEvent: ({ event, data }) => {
        if (!isCurrent()) return;
        if (event === 'complete') this.#end(entry, { kind: 'completed' });
        else if (event === 'next') this.#deliver(entry, JSON.parse(data));
      },
    });
    for (;;) {
      const { value, done } = await reader.read();
      if (done || !isCurrent()) return;
      entry.heardAt = Date.now();
      this.#heartbeat?.heard();
      this.#events.onHeard();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  }

  #deliver(entry: Entry, result: Result): void {
    const { errors, data } = result;
    if (errors !== undefined && errors.length > 0) this.#end(entry, { kind: 'refused', error: refuseRequest(errors) });
    else if (data) {
      entry.isServed = true;
      entry.events.onData(data);
    }
  }

  #end(entry: Entry, ending: Ending): void {
    this.#remove(entry);
    entry.events.onEnd(ending);
    this.#fill();
  }

  #enterUp(): void {
    if (this.#heartbeat) return;
    this.#heartbeat = new Heartbeat(this.#times, {
      ping: () => void this.#ping(),
      onLatency: (ms) => this.#events.onLatency(ms),
      onSilent: () => this.#events.onSilent(),
      onDead: (reason) => this.#goDown(reason),
    });
    this.#heartbeat.check(); // measures the latency
    this.#events.onUp();
  }

  /** The protocol has no pings. A small request shows that the gateway answers, and how fast. */
  async #ping(): Promise<void> {
    const silent = [...this.#running].some(({ isServed, heardAt }) => isServed && Date.now() - heardAt > longestSilenceMs);
    if (silent) return this.#goDown(`a stream was silent for ${longestSilenceMs / 1_000} s`);
    try {
      await createRequester(this.#target).request('{ __typename }', {}, { timeoutSeconds: this.#times.pongMs / 1_000 });
    } catch (error) {
      if (!(error instanceof RequestRefused)) return; // the heartbeat ends it
    }
    if (this.#isOver) return;
    this.#heartbeat?.pong();
    this.#events.onHeard();
  }

  #goDown(reason: string): void {
    if (this.#isOver) return;
    this.close();
    this.#events.onDown(null, reason);
  }
}

/** An execution result, as it comes in a `next` event. */
interface Result {
  readonly errors?: readonly ResponseError[];
  readonly data?: Readonly<Record<string, unknown>> | null;
}
