/**
 * Repeated kills of one of two gateways on one PostgreSQL while clients work: 10 rounds. `npm run
 * chaos -- kills` runs any number of rounds.
 */
import { test } from 'vitest';
import { expectNothingBroken } from './killing.ts';

test('10 kills of one of two gateways on postgres break no promise (P1, P2, P3, P4, P5, P6, P7, P8)', () =>
  expectNothingBroken('postgres', { rounds: 10, gateways: 2 }));
