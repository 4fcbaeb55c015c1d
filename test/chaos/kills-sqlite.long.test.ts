/**
 * Repeated kills of a gateway while clients work: 30 rounds on SQLite. `npm run chaos -- kills`
 * runs any number of rounds.
 */
import { test } from 'vitest';
import { expectNothingBroken } from './killing.ts';

test('30 kills of a gateway on sqlite break no promise (P1, P2, P3, P4, P5, P6, P7, P8)', () =>
  expectNothingBroken('sqlite', { rounds: 30, gateways: 1 }));
