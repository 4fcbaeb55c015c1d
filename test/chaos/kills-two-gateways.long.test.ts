/** Gateways are killed, again and again, while clients work: 10 rounds with two on one PostgreSQL. Any number of rounds: `npm run chaos -- kills`. */
import { test } from 'vitest';
import { expectNothingBroken } from './killing.ts';

test('10 kills of one of two gateways on postgres break no promise (P1, P2, P3, P4, P5, P6, P7, P8)', () =>
  expectNothingBroken('postgres', { rounds: 10, gateways: 2 }));
