/** A wall clock of one process that can be set, without any rights. */
import { renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const preload = fileURLToPath(new URL('preloads/shift-clock.ts', import.meta.url));

export interface ShiftedClock {
  /** What to put before the command of a Node process that is to have this clock. */
  readonly under: readonly string[];
  /** Sets it so far from the machine's. */
  set(offsetMs: number): void;
}

export function shiftClock(file: string): ShiftedClock {
  const set = (offsetMs: number) => {
    // Whole at any moment that it is read.
    writeFileSync(`${file}.new`, String(offsetMs));
    renameSync(`${file}.new`, file);
  };
  set(0);
  return { under: ['env', `NODE_OPTIONS=--import=${preload}`, `CHAOS_CLOCK=${file}`], set };
}
