/** Selecting devices for a round: at random, without replacement, from a seed that is kept, so that a selection can be replayed. */
import { createHash } from 'node:crypto';

/**
 * The first `count` of the devices in the order that the seed gives them in this round. Each device's place follows from seed, round and its id
 * alone, so the order in which devices are listed does not matter.
 */
export function selectDevices(deviceIds: readonly string[], count: number, seed: string, round: number): string[] {
  const placed = deviceIds.map((id) => ({ id, place: createHash('sha256').update(`${seed} ${round} ${id}`).digest('hex') }));
  placed.sort((a, b) => (a.place < b.place ? -1 : 1));
  return placed.slice(0, count).map(({ id }) => id);
}
