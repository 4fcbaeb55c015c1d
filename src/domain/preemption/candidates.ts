/** Chooses which steps are evicted, from what is known of devices and their steps. Reads and writes nothing. */
import type { DeviceRow, QueueRow } from '../../store/schema/tables.ts';
import type { Resources } from '../core/vocabulary.ts';
import { type Claimant, fits, type Reservation } from '../steps/matching.ts';

/** A step that a device holds. */
export interface HeldStep {
  readonly id: string;
  readonly attempt: number;
  readonly priority: number;
  /** Whether it may be evicted. */
  readonly isPreemptible: boolean;
  readonly claimedAt: Date;
  readonly resources: Resources;
}

/** A device as it will be when those that were told to leave have left. */
export interface DeviceLoad {
  readonly device: DeviceRow;
  readonly held: readonly HeldStep[];
  readonly reserved: readonly Reservation[];
}

/** A step that waits, and what it asks for. */
export interface Waiting {
  readonly id: string;
  readonly priority: number;
  readonly queue: QueueRow;
}

/** Steps of one device that are thought of; a device with more of them has enough small ones among these. */
const MOST_CANDIDATES = 256;
/** Choices that are looked at on one device before the choice is made step by step. */
const MOST_CHOICES = 2_000;

const claimantAt = ({ device, held, reserved }: DeviceLoad, without: readonly HeldStep[] = []): Claimant => ({
  device,
  projectId: device.projectId,
  held: held.filter((step) => !without.includes(step)),
  reserved,
});

/** Whether the step could run there, were the device empty. */
export const couldRunAt = ({ device }: DeviceLoad, step: Waiting): boolean =>
  fits({ device, projectId: device.projectId, held: [], reserved: [] }, step, step.queue);

export const fitsAt = (load: DeviceLoad, step: Waiting, without: readonly HeldStep[] = []): boolean =>
  fits(claimantAt(load, without), step, step.queue);

/** Which steps must be evicted, and from which device, so that the step can run there: the fewest, of the lowest priority, claimed last. Null if that is impossible everywhere. */
export function chooseEvictions(loads: readonly DeviceLoad[], step: Waiting): { load: DeviceLoad; evictions: readonly HeldStep[] } | null {
  let best: { load: DeviceLoad; evictions: readonly HeldStep[] } | null = null;
  for (const load of loads) {
    const evictions = evictionsAt(load, step);
    if (evictions && (!best || isBetter(evictions, best.evictions))) best = { load, evictions };
  }
  return best;
}

function isBetter(a: readonly HeldStep[], b: readonly HeldStep[]): boolean {
  const highest = (steps: readonly HeldStep[]) => Math.max(...steps.map(({ priority }) => priority));
  const oldest = (steps: readonly HeldStep[]) => Math.min(...steps.map(({ claimedAt }) => claimedAt.getTime()));
  return (a.length - b.length || highest(a) - highest(b) || oldest(b) - oldest(a)) < 0;
}

function evictionsAt(load: DeviceLoad, step: Waiting): readonly HeldStep[] | null {
  const candidates = load.held
    .filter(({ isPreemptible, priority }) => isPreemptible && priority <= step.priority)
    .sort((a, b) => a.priority - b.priority || b.claimedAt.getTime() - a.claimedAt.getTime() || (a.id < b.id ? 1 : -1))
    .slice(0, MOST_CANDIDATES);
  // Not even if all of them left.
  if (!fitsAt(load, step, candidates)) return null;
  let looked = 0;
  for (let size = 1; size <= candidates.length; size++) {
    for (const evictions of choices(candidates, size)) {
      if (fitsAt(load, step, evictions)) return evictions;
      if (++looked === MOST_CHOICES) return sparing(load, step, candidates);
    }
  }
  return candidates;
}

/** All but those that can stay, who is to be spared most first. */
function sparing(load: DeviceLoad, step: Waiting, candidates: readonly HeldStep[]): readonly HeldStep[] {
  let evictions = candidates;
  for (const spared of [...candidates].reverse()) {
    const fewer = evictions.filter((eviction) => eviction !== spared);
    if (fitsAt(load, step, fewer)) evictions = fewer;
  }
  return evictions;
}

/** Every choice of so many of these, those of the first ones first. */
function* choices<T>(all: readonly T[], size: number, from = 0): Generator<readonly T[]> {
  if (size === 0) yield [];
  else for (const [i, one] of all.entries()) if (i >= from) for (const others of choices(all, size - 1, i + 1)) yield [one, ...others];
}
