/**
 * Schedules inspections of submitted models. A thousand devices can submit at the same moment, a
 * model can have gigabytes, and the disk can be slow or hang. So the number of inspections is
 * limited, a large one never takes the last place, and each has a time limit.
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { StoreUnavailable } from '../store/unavailable.ts';
import type { Inspected, Task } from './worker.ts';

type Inspection = Extract<Task, { kind: 'inspect' }>;

export interface InspectionParts {
  startThread(task: Task): Worker;
  /** How many run at once, at least two. */
  readonly places: number;
  /** The size from which a file is large. */
  readonly largeBytes: number;
  /** The time limit for a file of this size. */
  longestMs(bytes: number): number;
}

export const usualInspections: Omit<InspectionParts, 'startThread'> = {
  places: Math.max(2, availableParallelism() - 1),
  largeBytes: 256_000_000,
  // A slow disk reads 20 MB a second.
  longestMs: (bytes) => 30_000 + bytes / 20_000,
};

/**
 * Threads that were given up but have not ended: one that waits for a disk cannot be ended. Beyond
 * this, no more are started.
 */
const MOST_HANGING = 8;

interface Waiting {
  readonly isLarge: boolean;
  readonly begin: () => void;
}

export class Inspections {
  readonly #parts: InspectionParts;
  /** In order of arrival. */
  #waiting: Waiting[] = [];
  #open = 0;
  #large = 0;
  #hanging = 0;

  constructor(parts: InspectionParts) {
    this.#parts = parts;
  }

  /**
   * Resolves with what worker.ts finds in the file. Rejects with the file store's error if it
   * cannot be read, and with StoreUnavailable if it cannot be read in time.
   */
  async inspect(inspection: Inspection, sizeBytes: number): Promise<string[]> {
    const isLarge = sizeBytes >= this.#parts.largeBytes;
    await this.#enter(isLarge);
    try {
      return await this.#look(inspection, this.#parts.longestMs(sizeBytes));
    } finally {
      this.#open -= 1;
      if (isLarge) this.#large -= 1;
      this.#goOn();
    }
  }

  #enter(isLarge: boolean): Promise<void> {
    return new Promise((begin) => {
      this.#waiting.push({ isLarge, begin });
      this.#goOn();
    });
  }

  #goOn(): void {
    const { places } = this.#parts;
    this.#waiting = this.#waiting.filter(({ isLarge, begin }) => {
      if (this.#open >= places || (isLarge && this.#large >= places - 1)) return true;
      this.#open += 1;
      if (isLarge) this.#large += 1;
      begin();
      return false;
    });
  }

  async #look(inspection: Inspection, longestMs: number): Promise<string[]> {
    if (this.#hanging >= MOST_HANGING) throw tooSlow();
    const worker = this.#parts.startThread(inspection);
    const waiting = new AbortController();
    const timer = setTimeout(() => waiting.abort(), longestMs);
    try {
      const [inspected]: Inspected[] = await once(worker, 'message', { signal: waiting.signal });
      return inspected?.problems ?? [];
    } catch (error) {
      if (!waiting.signal.aborted) throw error;
      // Its place is free at once, whenever the thread ends.
      this.#hanging += 1;
      worker.once('exit', () => {
        this.#hanging -= 1;
      });
      void worker.terminate();
      throw tooSlow();
    } finally {
      clearTimeout(timer);
    }
  }
}

const tooSlow = () => new StoreUnavailable('SLOW', { cause: new Error('A model could not be read in time.') });
