/**
 * For `node --import`: a wall clock that jumps. It adds the milliseconds in the file named by
 * `CHAOS_CLOCK`, which is read repeatedly, to the machine's time. Timers and the monotonic clock do
 * not change, as with a clock that is set.
 */
import { readFileSync } from 'node:fs';

const READ_EVERY_MS = 20;

const file = process.env.CHAOS_CLOCK ?? '';
const realNow = Date.now;
let readAt = Number.NEGATIVE_INFINITY;
let offset = 0;

function shifted(): number {
  if (performance.now() - readAt > READ_EVERY_MS) {
    readAt = performance.now();
    offset = Number(readFileSync(file, 'utf8'));
  }
  return realNow() + offset;
}

globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [shifted()] : args, newTarget),
  apply: () => new Date().toString(),
  get: (target, name, receiver) => (name === 'now' ? shifted : Reflect.get(target, name, receiver)),
});
