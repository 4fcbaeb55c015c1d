/**
 * The notes of clients. Each client has its own file, `NAME.jsonl`. Each line is a note, and is on
 * disk before the client goes on: the intention before a call, the answer after it. So it is known
 * what a killed client had been told, and for which calls it is unknown.
 */
import { closeSync, fdatasyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { OperationName, Operations } from './operations.ts';

/**
 * `mono` is CLOCK_MONOTONIC in milliseconds: it never jumps, and is the same for all processes of a
 * machine. `wall` is Unix time.
 */
export interface Moment {
  readonly mono: number;
  readonly wall: number;
}

/**
 * A call is about to be made. `again`: the first of the calls that it repeats because their answers
 * were lost.
 */
export type Asked = {
  [K in OperationName]: {
    readonly kind: 'asked';
    readonly call: number;
    readonly again: number | null;
    readonly operation: K;
    readonly input: Operations[K]['input'];
  };
}[OperationName];

/** The gateway's answer: a payload or a typed refusal. */
export type Answered = {
  [K in OperationName]: {
    readonly kind: 'answered';
    readonly call: number;
    readonly operation: K;
    readonly result: Operations[K]['result'];
  };
}[OperationName];

/**
 * The whole request was refused with a top-level code. Nothing was done, unless the code is
 * UNAVAILABLE or INTERNAL_ERROR.
 */
export interface Refused {
  readonly kind: 'refused';
  readonly call: number;
  readonly code: string;
  readonly message: string;
}

/** There was no answer. Whether the call was done is unknown, unless no gateway was reached. */
export interface Lost {
  readonly kind: 'lost';
  readonly call: number;
  readonly isSent: boolean;
  readonly why: string;
}

/** A stream of one job, or `feed`: the events of all jobs of the project. */
export type StreamKind = 'event' | 'metric' | 'telemetry' | 'log' | 'feed';

export interface Subscribed {
  readonly kind: 'subscribed';
  /** The subscription's name within its client. It continues over several connections. */
  readonly subscription: string;
  readonly stream: StreamKind;
  /** Empty for the feed. */
  readonly jobId: string;
  /** For the feed: the project of the events. */
  readonly projectId: string;
  /** The cursor to continue after; null is the beginning. */
  readonly after: string | null;
  /** A slow consumer waits this long after each frame. */
  readonly slowMs: number;
}

/** The connection was lost, or serves again. */
export interface Turned {
  readonly kind: 'turned';
  readonly subscription: string;
  readonly to: string;
  readonly why: string;
}

export interface FrameSeen {
  readonly kind: 'frame';
  readonly subscription: string;
  readonly cursor: string;
  readonly state: 'REPLAYING' | 'LIVE' | 'ENDED';
  readonly missed: number;
  /** As received. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/**
 * `ended`: a frame said so. `left`: the client stopped. `refused`: the gateway would not serve it.
 */
export interface Unsubscribed {
  readonly kind: 'unsubscribed';
  readonly subscription: string;
  readonly how: 'ended' | 'left' | 'refused';
  readonly why: string;
}

/** A cursor that no stream issued was sent: `code` is the refusal, null if it was served. */
export interface Probed {
  readonly kind: 'probed';
  readonly cursor: string;
  readonly what: string;
  readonly code: string | null;
}

/** Written by the runner: what it did to a gateway or a client. */
export interface Fate {
  readonly kind: 'fate';
  /** `gateway 0`, or the name of a client. */
  readonly of: string;
  readonly what: 'starting' | 'ready' | 'killed' | 'stopped' | 'paused' | 'resumed';
}

/**
 * Written by the runner when the machine is overloaded: its own work took this many times as long
 * as usual, and a timer fired this much too late. Times of others prove as little then.
 */
export interface Stalled {
  readonly kind: 'stalled';
  readonly slowdown: number;
  readonly ms: number;
}

/** For people. */
export interface Remark {
  readonly kind: 'remark';
  readonly text: string;
}

export type Entry = Asked | Answered | Refused | Lost | Subscribed | Turned | FrameSeen | Unsubscribed | Probed | Fate | Stalled | Remark;
export type Note = Entry & Moment & { readonly client: string; readonly line: number };

const now = (): Moment => ({ mono: Number(process.hrtime.bigint()) / 1e6, wall: Date.now() });

const ENDING = '.jsonl';

export class Notebook {
  readonly client: string;
  readonly #file: number;

  /** Makes the file. A restarted client takes another name. */
  constructor(folder: string, client: string) {
    this.client = client;
    this.#file = openSync(join(folder, `${client}${ENDING}`), 'ax');
  }

  /** The note is on disk when it returns. */
  write(entry: Entry): void {
    writeSync(this.#file, `${JSON.stringify({ ...now(), ...entry })}\n`);
    fdatasyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/**
 * All notes of all clients, sorted by time. An incomplete last line does not count: its client was
 * killed while writing.
 */
export function readNotes(folder: string): Note[] {
  const notes: Note[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith(ENDING)) continue;
    const lines = readFileSync(join(folder, name), 'utf8').split('\n');
    lines.pop();
    for (const [line, text] of lines.entries()) {
      const entry = JSON.parse(text) as Entry & Moment; // written by a notebook
      notes.push({ ...entry, client: name.slice(0, -ENDING.length), line: line + 1 });
    }
  }
  return notes.sort((a, b) => a.mono - b.mono || a.line - b.line);
}
