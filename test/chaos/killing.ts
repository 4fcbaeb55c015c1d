/**
 * Kills of a gateway while clients work. Each database has a test of its own, so that they run in
 * parallel.
 */
import { expect } from 'vitest';
import { runChapter } from './chapter.ts';
import type { DatabaseKind } from './databases.ts';
import { openPlace } from './place.ts';

/** Runs the rounds, and expects no broken promise. */
export async function expectNothingBroken(
  database: DatabaseKind,
  how: { readonly rounds: number; readonly gateways: number },
): Promise<void> {
  const { violations, report, extent } = await runChapter({ ...(await openPlace(database)), ...how, seed: 'long' });
  console.log(`${how.rounds} rounds with ${how.gateways} gateway(s) on ${database}:\n${report}`);
  expect(violations, report).toBe(0);
  // A run in which nothing was done proves nothing.
  expect(extent.acknowledged).toBeGreaterThan(how.rounds * 5);
  expect(extent.rowsWatched).toBeGreaterThan(how.rounds * 5);
}
