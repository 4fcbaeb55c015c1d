/** Gateways are killed, again and again, while clients work: 30 rounds for each database. Any number of rounds: `npm run proof -- kills`. */
import { expect, test } from 'vitest';
import { runChapter } from '../../proof/chapter.ts';
import { openPlace } from './place.ts';

test.each([
  { database: 'sqlite', rounds: 30, gateways: 1 },
  { database: 'postgres', rounds: 20, gateways: 1 },
  { database: 'postgres', rounds: 10, gateways: 2 },
] as const)('$rounds kills of $gateways gateway(s) on $database break no promise (P1, P2, P3, P4, P5, P6, P7, P8)', async (of) => {
  const { database, ...how } = of;
  const { violations, report, extent } = await runChapter({ ...(await openPlace(database)), ...how, seed: 'long' });
  console.log(`${how.rounds} rounds with ${how.gateways} gateway(s) on ${database}:\n${report}`);
  expect(violations, report).toBe(0);
  // A run in which nothing was done proves nothing.
  expect(extent.acknowledged).toBeGreaterThan(how.rounds * 5);
  expect(extent.rowsWatched).toBeGreaterThan(how.rounds * 5);
});
