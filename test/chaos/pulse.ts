/**
 * Measures and notes how busy the machine is, so that lateness caused by that is not taken for a
 * broken promise.
 */
import { createHash } from 'node:crypto';
import type { Notebook } from './notes.ts';

const EVERY_MS = 500;
/** Long enough to be interrupted, and a fiftieth of the processor's time. */
const WORK_MICROSECONDS = 10_000;
const WORTH_NOTING = { slowdown: 2, ms: 150 };
const some = Buffer.alloc(65_536);

/** Returns a function that ends it. */
export function feelPulse(notebook: Notebook): () => void {
  let before = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const ms = Math.max(0, Math.round(now - before - EVERY_MS));
    const slowdown = Math.round(10 * work()) / 10;
    before = performance.now();
    if (ms >= WORTH_NOTING.ms || slowdown >= WORTH_NOTING.slowdown) notebook.write({ kind: 'stalled', slowdown, ms });
  }, EVERY_MS);
  return () => clearInterval(timer);
}

/** The wall-clock time of a piece of work, divided by its processor time. */
function work(): number {
  const begin = performance.now();
  const used = process.cpuUsage();
  let microseconds = 0;
  while (microseconds < WORK_MICROSECONDS) {
    createHash('sha256').update(some).digest();
    const { user, system } = process.cpuUsage(used);
    microseconds = user + system;
  }
  return Math.max(1, ((performance.now() - begin) * 1_000) / microseconds);
}
