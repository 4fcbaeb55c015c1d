/**
 * Runs the threads that validate settings, so the gateway goes on answering while they work.
 *
 * Schemas take turns, so one with slow patterns or long lists only delays the jobs of its own
 * application. A schema that takes too long is ended with its thread, and then refused for a while
 * without a try, so its next jobs cost nothing. If long settings took too long, only long settings
 * are refused and not the schema: otherwise their sender could block the application for
 * everybody.
 */
import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { limitExceeded } from '../domain/core/request-refusals.ts';
import { type SchemaOutcome, type Schemas, SchemaUnusable } from '../domain/core/schemas.ts';
import { entryPoint } from '../installation.ts';
import type { Question, Told } from './worker.ts';

/**
 * Time at work, without waiting for a busy machine's processors. Usual settings take a thousandth
 * of it.
 */
const LONGEST_MS = 1_000;
/** Wall-clock time, however little of it was work. */
const LONGEST_WAIT_MS = 20_000;
/** How long a schema that took too long is refused. */
const REFUSED_MS = 600_000;
const MOST_REFUSED = 1_000;
/** Up to this many characters of settings, no schema may take too long. */
const SHORT_SETTINGS = 4_096;
/** One may be busy with a slow schema while the other serves the rest. */
const THREADS = 2;
/**
 * Enough to compile a schema as large as a request. A schema that needs more is ended, as one
 * that takes too long.
 */
const MOST_HEAP_MB = 256;
/** Characters of settings that may wait for one schema. */
const MOST_WAITING = 16_000_000;

interface Case {
  readonly question: Question;
  readonly resolve: (outcome: SchemaOutcome) => void;
  readonly reject: (error: Error) => void;
}

const tooLong = () => new SchemaUnusable('took too long to check against the schema: its patterns, lists or references are too expensive.');

/** Calls `end` once the thread has worked for too long. Returns a function that stops watching. */
function watch(worker: Worker, longestMs: number, end: () => void): () => void {
  const began = performance.now();
  // Null until the first look. Most work is done by then, and never looked at.
  let before: number | null = null;
  const look = async () => {
    const { user, system } = await worker.cpuUsage();
    const worked = (user + system) / 1_000;
    before ??= worked;
    if (worked - before >= longestMs || performance.now() - began >= LONGEST_WAIT_MS) end();
  };
  // A thread that has ended meanwhile has reported it.
  const looking = setInterval(() => look().catch(() => {}), longestMs / 4);
  return () => clearInterval(looking);
}

class SchemaThreads implements Schemas {
  /** Waiting settings by schema. The schema whose turn is next comes first. */
  readonly #waiting = new Map<string, Case[]>();
  /** The schemas in progress. */
  readonly #busy = new Set<string>();
  readonly #idle: Worker[] = [];
  /** Until when each schema, or a schema with long settings, is refused. By its hash. */
  readonly #refused = new Map<string, number>();
  readonly #longestMs: number;
  #threads = 0;

  constructor(longestMs: number) {
    this.#longestMs = longestMs;
  }

  judge(schema: string, settings: string): Promise<SchemaOutcome> {
    if (this.#isRefused(schema, settings)) return Promise.reject(tooLong());
    const queue = this.#waiting.get(schema) ?? [];
    if (queue.reduce((sum, { question }) => sum + question.settings.length, settings.length) > MOST_WAITING) {
      return Promise.reject(limitExceeded.waitingSettings());
    }
    return new Promise((resolve, reject) => {
      // Short ones first: they are quick, and do not wait for those that may be slow.
      const at = queue.findIndex(({ question }) => question.settings.length > settings.length);
      queue.splice(at < 0 ? queue.length : at, 0, { question: { schema, settings }, resolve, reject });
      this.#waiting.set(schema, queue);
      this.#goOn();
    });
  }

  #isRefused(schema: string, settings: string): boolean {
    if (this.#refused.size === 0) return false;
    const until = (of: string) => this.#refused.get(hashOf(of)) ?? 0;
    return Math.max(until(schema), until(schema + settings)) > performance.now();
  }

  #goOn(): void {
    for (const [schema, queue] of this.#waiting) {
      if (this.#busy.has(schema)) continue;
      const worker = this.#idle.pop() ?? this.#start();
      if (!worker) return;
      const next = queue.shift();
      this.#waiting.delete(schema);
      // Behind the others.
      if (queue.length > 0) this.#waiting.set(schema, queue);
      if (!next) continue;
      this.#busy.add(schema);
      this.#ask(worker, next);
    }
  }

  /** Null while it starts, and if there are as many as allowed. */
  #start(): null {
    if (this.#threads >= THREADS) return null;
    this.#threads += 1;
    const worker = new Worker(entryPoint('json-schema/worker'), { resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB } });
    // The gateway's exit does not wait for it.
    worker.unref();
    let isReady = false;
    worker.on('error', () => {}); // 'exit' follows
    worker.once('exit', () => {
      this.#threads -= 1;
      if (!isReady) this.#giveUp();
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#goOn();
    });
    worker.once('message', () => {
      isReady = true;
      this.#idle.push(worker);
      this.#goOn();
    });
    return null;
  }

  #ask(worker: Worker, { question, resolve, reject }: Case): void {
    const done = () => {
      stop();
      worker.off('message', hear).off('exit', ended);
      this.#busy.delete(question.schema);
    };
    const hear = (told: Told) => {
      done();
      this.#idle.push(worker);
      if (told.kind === 'judged') resolve(JSON.parse(told.outcome));
      else if (told.kind === 'unusable') reject(new SchemaUnusable(told.message, told.problems));
      else reject(new Error(`A schema could not be used: ${told.kind === 'failed' ? told.message : told.kind}`));
      this.#goOn();
    };
    // Ended by the watch, or by itself for lack of memory.
    const ended = () => {
      done();
      this.#refuse(question);
      reject(tooLong());
      this.#goOn();
    };
    const stop = watch(worker, this.#longestMs, () => void worker.terminate());
    worker.on('message', hear).once('exit', ended);
    worker.postMessage(question);
  }

  /** A thread that cannot start would not start the next time either. */
  #giveUp(): void {
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new Error('The thread that validates settings could not start.'));
  }

  #refuse({ schema, settings }: Question): void {
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size < MOST_REFUSED) break;
      this.#refused.delete(oldest);
    }
    this.#refused.set(hashOf(settings.length > SHORT_SETTINGS ? schema + settings : schema), performance.now() + REFUSED_MS);
    const waiting = this.#waiting.get(schema) ?? [];
    const isOver = ({ question }: Case) => this.#isRefused(schema, question.settings);
    for (const refused of waiting.filter(isOver)) refused.reject(tooLong());
    const left = waiting.filter((one) => !isOver(one));
    if (left.length > 0) this.#waiting.set(schema, left);
    else this.#waiting.delete(schema);
  }
}

const hashOf = (schema: string): string => createHash('sha256').update(schema).digest('base64');

/**
 * Validates in its own threads, started when first needed. One schema and one settings document may
 * take `longestMs`.
 */
export const openSchemas = (longestMs = LONGEST_MS): Schemas => new SchemaThreads(longestMs);
