/**
 * Looking at models that were handed in. A thousand devices can hand in at the same moment, a model can have gigabytes, and the disk that it is on
 * can be slow or hang: so many are looked at at once, a large one never takes the last place, and each has its time.
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { StoreUnavailable } from '../store/unavailable.ts';
import type { Inspected, Task } from './worker.ts';

type Inspection = Extract<Task, { kind: 'inspect' }>;

export interface InspectionParts {
  startThread(task: Task): Worker;
  /** How many are looked at at once: two at least. */
  readonly places: number;
  /** From so many bytes on a file is large. */
  readonly largeBytes: number;
  /** How long it may take to look at a file of so many bytes. */
  longestMs(bytes: number): number;
}

export const usualInspections: Omit<InspectionParts, 'startThread'> = {
  places: Math.max(2, availableParallelism() - 1),
  largeBytes: 256_000_000,
  // A disk that is slow reads 20 MB a second.
  longestMs: (bytes) => 30_000 + bytes / 20_000,
};

/** Threads that were given up and have not ended: one that waits for a disk cannot be ended. Beyond it no more are started. */
const MOST_HANGING = 8;

interface Waiting {
  readonly isLarge: boolean;
  readonly begin: () => void;
}

export class Inspections {
  readonly #parts: InspectionParts;
  /** Those that came first are first. */
  #waiting: Waiting[] = [];
  #open = 0;
  #large = 0;
  #hanging = 0;

  constructor(parts: InspectionParts) {
    this.#parts = parts;
  }

  /**
   * Returns what worker.ts finds in a file of so many bytes. Rejects with the file store's error when a file cannot be read, and with
   * StoreUnavailable when it cannot be read in its time.
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
      // Its place is free at once, whenever it ends.
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

const tooSlow = () => new StoreUnavailable('SLOW', { cause: new Error('A model could not be read in its time.') });
