/** P14, as far as it shows here: a valid request is never answered with an internal error. */
import type { Evidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { tell } from './history.ts';

/** Temporary refusals: too much at once, or the database is away or full. */
const passing = new Set(['LIMIT_EXCEEDED', 'UNAVAILABLE']);

export function checkNoFault({ history }: Evidence): Finding[] {
  return history.calls
    .filter(({ refusedWith }) => refusedWith !== null && !passing.has(refusedWith))
    .map((call) => ({ promise: 'P14', says: `${call.operation} was refused with ${call.refusedWith}.`, evidence: [tell(call)] }));
}
