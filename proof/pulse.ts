/** Feels how busy the machine is: a timer that goes off late is noted, so that lateness of others is not taken for a broken promise. */
import type { Notebook } from './notes.ts';

const EVERY_MS = 100;
const WORTH_NOTING_MS = 150;

/** Answers how to end it. */
export function feelPulse(notebook: Notebook): () => void {
  let before = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const ms = Math.round(now - before - EVERY_MS);
    before = now;
    if (ms >= WORTH_NOTING_MS) notebook.write({ kind: 'stalled', ms });
  }, EVERY_MS);
  return () => clearInterval(timer);
}
