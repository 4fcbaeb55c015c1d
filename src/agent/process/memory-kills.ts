import { readFile } from 'node:fs/promises';
import type { Enclosure } from './enclosure.ts';
import type { ProcessExit } from './process.ts';

/**
 * Tells whether the kernel killed a step because memory ran out, which looks like any SIGKILL. A
 * control group of the memory controller counts this for the step alone. Elsewhere only the
 * machine's count exists: it is blamed if it rose while the command was killed.
 */
export class MemoryKills {
  readonly #enclosure: Enclosure | undefined;
  /** The machine's count at the last look and the one before. */
  #counts: [number | null, number | null] = [null, null];

  constructor(enclosure: Enclosure | undefined) {
    this.#enclosure = enclosure;
  }

  /**
   * Reads the machine's count. Frequent looks make it less likely that another program's end is
   * taken for the step's.
   */
  async look(): Promise<void> {
    this.#counts = [this.#counts[1] ?? (await countMachineKills()), await countMachineKills()];
  }

  /** To be called before the enclosure is closed. */
  async explain({ exitCode, signal }: ProcessExit): Promise<string | null> {
    if (exitCode === 0) return null;
    const own = await this.#enclosure?.countMemoryKills?.();
    if (typeof own === 'number') return own > 0 ? 'The device ran out of memory, and the kernel killed a process of the step.' : null;
    const [before] = this.#counts;
    const now = await countMachineKills();
    const isKilled = signal === 'SIGKILL' || exitCode === 137;
    return isKilled && before !== null && now !== null && now > before
      ? 'The command was killed by SIGKILL while the device ran out of memory.'
      : null;
  }
}

/**
 * Processes that the kernel killed because memory ran out, since boot. Null where it does not say.
 */
async function countMachineKills(): Promise<number | null> {
  const text = await readFile('/proc/vmstat', 'latin1').catch(() => '');
  const match = /^oom_kill (\d+)$/m.exec(text);
  return match === null ? null : Number(match[1]);
}
