/**
 * Selects devices for a round: at random, without replacement, from a stored seed. So a selection
 * can be replayed.
 */
import { createHash } from 'node:crypto';

/**
 * The first `count` devices in the order that the seed gives for this round. A device's rank
 * depends only on the seed, the round and its id, so the order of the list does not matter.
 */
export function selectDevices(deviceIds: readonly string[], count: number, seed: string, round: number): string[] {
  const placed = deviceIds.map((id) => ({ id, place: createHash('sha256').update(`${seed} ${round} ${id}`).digest('hex') }));
  placed.sort((a, b) => (a.place < b.place ? -1 : 1));
  return placed.slice(0, count).map(({ id }) => id);
}
