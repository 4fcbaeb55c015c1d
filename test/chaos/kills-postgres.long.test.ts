/** Gateways are killed, again and again, while clients work: 20 rounds on PostgreSQL. Any number of rounds: `npm run chaos -- kills`. */
import { test } from 'vitest';
import { expectNothingBroken } from './killing.ts';

test('20 kills of a gateway on postgres break no promise (P1, P2, P3, P4, P5, P6, P7, P8)', () =>
  expectNothingBroken('postgres', { rounds: 20, gateways: 1 }));
