/**
 * Repeated kills of a gateway while clients work: 20 rounds on PostgreSQL. `npm run chaos -- kills`
 * runs any number of rounds.
 */
import { test } from 'vitest';
import { expectNothingBroken } from './killing.ts';

test('20 kills of a gateway on postgres break no promise (P1, P2, P3, P4, P5, P6, P7, P8)', () =>
  expectNothingBroken('postgres', { rounds: 20, gateways: 1 }));
