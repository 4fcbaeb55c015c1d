/**
 * How a client writes down what it did. Each client has a file of its own, `NAME.jsonl`; each line is a note, and is on disk before the client
 * goes on: the intention before a call, the answer after it. So what a client that is killed had been told is known, and what it had not is
 * known to be unknown.
 */
import { closeSync, fdatasyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { OperationName, Operations } from './operations.ts';

/** `mono` is CLOCK_MONOTONIC in milliseconds: it never jumps, and is the same for all processes of one machine. `wall` is Unix time. */
export interface Moment {
  readonly mono: number;
  readonly wall: number;
}

/** A call is about to be made. `again`: the first of the calls that this one repeats, because their answers were lost. */
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

/** The request as a whole was refused, with a code at its top: nothing was done, unless the code is UNAVAILABLE or INTERNAL_ERROR. */
export interface Refused {
  readonly kind: 'refused';
  readonly call: number;
  readonly code: string;
  readonly message: string;
}

/** There was no answer: whether it was done is not known, unless nobody was there to be asked. */
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
  /** Names this subscription within its client. It goes on over connections. */
  readonly subscription: string;
  readonly stream: StreamKind;
  /** '' for the feed. */
  readonly jobId: string;
  /** Of the feed: the project whose events are asked for. */
  readonly projectId: string;
  /** The cursor to go on after; null is the beginning. */
  readonly after: string | null;
  /** It waits this long after each frame: a slow consumer. */
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
  /** As they came. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** `ended`: a frame said so. `left`: the client had enough. `refused`: the gateway would not serve it. */
export interface Unsubscribed {
  readonly kind: 'unsubscribed';
  readonly subscription: string;
  readonly how: 'ended' | 'left' | 'refused';
  readonly why: string;
}

/** A cursor that no stream gave was asked for: `code` is what it was refused with, null if it was served. */
export interface Probed {
  readonly kind: 'probed';
  readonly cursor: string;
  readonly what: string;
  readonly code: string | null;
}

/** By the runner: what it did to a gateway or to a client. */
export interface Fate {
  readonly kind: 'fate';
  /** `gateway 0`, or the name of a client. */
  readonly of: string;
  readonly what: 'starting' | 'ready' | 'killed' | 'stopped' | 'paused' | 'resumed';
}

/**
 * By the runner, when the machine has more to do than it can: work of its own took so many times as long as it takes by itself, and a timer went off
 * so much too late. What others took then says as little.
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

  /** Makes the file; a client that is started again takes another name. */
  constructor(folder: string, client: string) {
    this.client = client;
    this.#file = openSync(join(folder, `${client}${ENDING}`), 'ax');
  }

  /** On disk when it returns. */
  write(entry: Entry): void {
    writeSync(this.#file, `${JSON.stringify({ ...now(), ...entry })}\n`);
    fdatasyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** All notes of all clients, in order of time. A last line that was cut short was not written: its client was killed in the middle. */
export function readNotes(folder: string): Note[] {
  const notes: Note[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith(ENDING)) continue;
    const lines = readFileSync(join(folder, name), 'utf8').split('\n');
    lines.pop();
    for (const [line, text] of lines.entries()) {
      const entry = JSON.parse(text) as Entry & Moment; // a notebook wrote it
      notes.push({ ...entry, client: name.slice(0, -ENDING.length), line: line + 1 });
    }
  }
  return notes.sort((a, b) => a.mono - b.mono || a.line - b.line);
}
