import { readFile } from 'node:fs/promises';
import type { Enclosure } from './enclosure.ts';
import type { ProcessExit } from './process.ts';

/**
 * Tells whether the kernel ended a step because memory ran out, which looks like any SIGKILL. A control group that accounts for memory counts it, for the step alone.
 * Elsewhere there is a count for the whole machine: it says so of a command that was killed while that went up.
 */
export class MemoryKills {
  readonly #enclosure: Enclosure | undefined;
  /** The machine's, when it was last looked at and the time before. */
  #counts: [number | null, number | null] = [null, null];

  constructor(enclosure: Enclosure | undefined) {
    this.#enclosure = enclosure;
  }

  /** Looks at the machine's count. The oftener, the less likely is it that another program's end is taken for the step's. */
  async look(): Promise<void> {
    this.#counts = [this.#counts[1] ?? (await countMachineKills()), await countMachineKills()];
  }

  /** To be asked before the enclosure is closed. */
  async explain({ exitCode, signal }: ProcessExit): Promise<string | null> {
    if (exitCode === 0) return null;
    const own = await this.#enclosure?.countMemoryKills?.();
    if (typeof own === 'number') return own > 0 ? 'The device ran out of memory, and the kernel ended a process of the step.' : null;
    const [before] = this.#counts;
    const now = await countMachineKills();
    const isKilled = signal === 'SIGKILL' || exitCode === 137;
    return isKilled && before !== null && now !== null && now > before
      ? 'The command was ended by SIGKILL while the device ran out of memory.'
      : null;
  }
}

/** Processes that the kernel has killed because memory ran out, since the machine was started; null where it does not say. */
async function countMachineKills(): Promise<number | null> {
  const text = await readFile('/proc/vmstat', 'latin1').catch(() => '');
  const match = /^oom_kill (\d+)$/m.exec(text);
  return match === null ? null : Number(match[1]);
}
