/**
 * Background tasks of the gateway, each on its own: one that fails does not hold up others. It is
 * retried after a pause that grows with each failure, and reported once.
 *
 * If the store itself fails (the disk is full, the database is unreachable), it is not the task's
 * fault: then all tasks are retried at the next pass.
 */
import { writeAgain } from '../../store/changes/probe.ts';
import { fullDelayMs } from '../../timing/backoff.ts';
import { type Change, change } from './change.ts';
import type { Domain } from './domain.ts';

/** The first pause is shorter than the time between two sweeps, so the next sweep retries. */
const PAUSES = { baseMs: 400, capMs: 60_000 };
/** A task that was not due for this long was done by another gateway, or its subject is gone. */
const FORGOTTEN_AFTER_MS = 3_600_000;

interface Retry {
  readonly failures: number;
  readonly at: number;
}

/** The failed tasks, by name. Only in memory: a gateway that starts tries everything. */
export class Retries {
  readonly #byName = new Map<string, Retry>();

  /** The number of failed tasks. Readers add it to their limit, to find other tasks beside them. */
  get size(): number {
    return this.#byName.size;
  }

  isBackingOff(name: string, now: Date): boolean {
    const retry = this.#byName.get(name);
    if (!retry) return false;
    const rested = now.getTime() - retry.at;
    // If the clock went back, the pause would be negative: do not wait (P13).
    return rested >= 0 && rested < fullDelayMs(PAUSES, retry.failures);
  }

  /** Returns whether this is the first failure of the task. */
  note(name: string, now: Date): boolean {
    const failures = this.#byName.get(name)?.failures ?? 0;
    this.#byName.set(name, { failures: failures + 1, at: now.getTime() });
    return failures === 0;
  }

  forget(name: string): void {
    this.#byName.delete(name);
  }

  forgetOld(now: Date): void {
    for (const [name, { at }] of this.#byName) if (now.getTime() - at > FORGOTTEN_AFTER_MS) this.#byName.delete(name);
  }
}

export interface Task {
  /** For people, with an id. Part of the message when the task fails. */
  readonly name: string;
  work(change: Change): Promise<void>;
}

/**
 * Runs each task in a write of its own. Returns the errors of tasks that failed for the first time.
 * Throws if the store itself takes no writes.
 */
export async function runTasks(domain: Domain, tasks: readonly Task[]): Promise<Error[]> {
  const { retries, clock, store } = domain;
  const failed: Error[] = [];
  for (const { name, work } of tasks) {
    if (retries.isBackingOff(name, clock.now())) continue;
    try {
      await change(domain, null, work);
      retries.forget(name);
    } catch (error) {
      await store.write((tx) => tx.run(writeAgain, {}));
      if (retries.note(name, clock.now())) failed.push(failureOf(name, error));
    }
  }
  return failed;
}

/** The message of the database, if it was the cause, without the query and its values. */
function failureOf(name: string, error: unknown): Error {
  const cause = error instanceof Error && error.cause ? error.cause : error;
  return new Error(`${name} fails, and is retried at growing intervals: ${String(cause)}`, { cause });
}

/** Throws the errors as one. */
export function throwFailures(failed: readonly Error[]): void {
  const [first, ...others] = failed;
  if (first && others.length === 0) throw first;
  if (first) throw new AggregateError(failed, failed.map(({ message }) => message).join(' '));
}
