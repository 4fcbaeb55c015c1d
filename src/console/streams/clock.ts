/**
 * The time by which running clocks are shown. It stands still while the connection is lost: a job
 * that may have ended must not look as if it ran on.
 */
import { effect, signal } from '@preact/signals';
import { connection } from './gateway.ts';

/** Milliseconds since 1970, changed once a second. */
export const now = signal(Date.now());

const TICK_MS = 1_000;

effect(() => {
  const { state, lastHeardAt } = connection.value;
  if (state !== 'live') {
    if (lastHeardAt !== null) now.value = Math.max(now.peek(), lastHeardAt);
    return;
  }
  now.value = Date.now();
  const timer = setInterval(() => {
    now.value = Date.now();
  }, TICK_MS);
  return () => clearInterval(timer);
});
