/** Rounds in which a gateway is killed while clients work, for each database a test of its own: they run beside one another. */
import { expect } from 'vitest';
import { runChapter } from './chapter.ts';
import type { DatabaseKind } from './databases.ts';
import { openPlace } from './place.ts';

/** Runs so many rounds, and expects that no promise was broken in them. */
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
