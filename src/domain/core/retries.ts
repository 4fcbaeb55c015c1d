/**
 * What the gateway does by itself, one thing at a time: a thing that fails holds up no other. It is tried again after a pause that grows with each
 * failure, and told of once.
 *
 * A failure of the store (the disk is full, the database is away) is no failing of the thing: then all of them are tried again as soon as may be.
 */
import { writeAgain } from '../../store/changes/probe.ts';
import { type Change, change } from './change.ts';
import type { Domain } from './domain.ts';

/** Shorter than the time between two sweeps: what fails by chance is tried again in the next one. */
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 60_000;
/** What was not due for so long has been seen to by someone else, or is gone. */
const FORGOTTEN_AFTER_MS = 3_600_000;

interface Retry {
  readonly failures: number;
  readonly at: number;
}

/** The things that failed, by name. In memory alone: a gateway that starts tries everything. */
export class Retries {
  readonly #byName = new Map<string, Retry>();

  /** How many there are: a reader that takes so many more finds others beside them. */
  get size(): number {
    return this.#byName.size;
  }

  isBackingOff(name: string, now: Date): boolean {
    const retry = this.#byName.get(name);
    if (!retry) return false;
    const rested = now.getTime() - retry.at;
    // A clock that went back makes it less than none: not waited out (P13).
    return rested >= 0 && rested < Math.min(FIRST_PAUSE_MS * 2 ** (retry.failures - 1), LONGEST_PAUSE_MS);
  }

  /** Answers whether it is the first time. */
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
  /** For people, with its id: told when it fails. */
  readonly name: string;
  work(change: Change): Promise<void>;
}

/** Does each in a write of its own. Answers what failed for the first time; throws when the store itself takes no writes. */
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

/** In the database's own words, where it was the database: without the query and its values. */
function failureOf(name: string, error: unknown): Error {
  const cause = error instanceof Error && error.cause ? error.cause : error;
  return new Error(`${name} fails, and is tried again less and less often: ${String(cause)}`, { cause });
}

/** Throws what failed, as one error. */
export function throwFailures(failed: readonly Error[]): void {
  const [first, ...others] = failed;
  if (first && others.length === 0) throw first;
  if (first) throw new AggregateError(failed, failed.map(({ message }) => message).join(' '));
}
