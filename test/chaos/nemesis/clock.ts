/** A settable wall clock for one process, which needs no privileges. */
import { renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const preload = fileURLToPath(new URL('preloads/shift-clock.ts', import.meta.url));

export interface ShiftedClock {
  /** The prefix for the command of a Node process with this clock. */
  readonly under: readonly string[];
  /** Sets its offset from the machine's clock. */
  set(offsetMs: number): void;
}

export function shiftClock(file: string): ShiftedClock {
  const set = (offsetMs: number) => {
    // Written atomically: it may be read at any moment.
    writeFileSync(`${file}.new`, String(offsetMs));
    renameSync(`${file}.new`, file);
  };
  set(0);
  return { under: ['env', `NODE_OPTIONS=--import=${preload}`, `CHAOS_CLOCK=${file}`], set };
}
