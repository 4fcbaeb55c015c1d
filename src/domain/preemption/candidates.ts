/**
 * Chooses the steps to evict from what is known of devices and their steps. Reads and writes
 * nothing.
 */
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

/** A device as it will be when all evictions requested so far are done. */
export interface DeviceLoad {
  readonly device: DeviceRow;
  readonly held: readonly HeldStep[];
  readonly reserved: readonly Reservation[];
}

/** A queued step, and what it asks for. */
export interface Waiting {
  readonly id: string;
  readonly priority: number;
  readonly queue: QueueRow;
}

/**
 * Preemptible steps considered per device. A device with more has enough small ones among these.
 */
const MOST_CANDIDATES = 256;
/** Combinations tried per device before falling back to removing one candidate at a time. */
const MOST_CHOICES = 2_000;

const claimantAt = ({ device, held, reserved }: DeviceLoad, without: readonly HeldStep[] = []): Claimant => ({
  device,
  projectId: device.projectId,
  held: held.filter((step) => !without.includes(step)),
  reserved,
});

/** Whether the step could run on the device if the device were empty. */
export const couldRunAt = ({ device }: DeviceLoad, step: Waiting): boolean =>
  fits({ device, projectId: device.projectId, held: [], reserved: [] }, step, step.queue);

export const fitsAt = (load: DeviceLoad, step: Waiting, without: readonly HeldStep[] = []): boolean =>
  fits(claimantAt(load, without), step, step.queue);

/**
 * Chooses the device and the steps to evict so that the step can run there: the fewest, then those
 * of the lowest priority, then the newest claims. Returns null if no device qualifies.
 */
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
  // Evicting all of them would not be enough.
  if (!fitsAt(load, step, candidates)) return null;
  let looked = 0;
  for (let size = 1; size <= candidates.length; size++) {
    for (const evictions of choices(candidates, size)) {
      if (fitsAt(load, step, evictions)) return evictions;
      if (++looked === MOST_CHOICES) return spareSome(load, step, candidates);
    }
  }
  return candidates;
}

/** Starts from all candidates and spares each that need not go, the most important first. */
function spareSome(load: DeviceLoad, step: Waiting, candidates: readonly HeldStep[]): readonly HeldStep[] {
  let evictions = candidates;
  for (const spared of [...candidates].reverse()) {
    const fewer = evictions.filter((eviction) => eviction !== spared);
    if (fitsAt(load, step, fewer)) evictions = fewer;
  }
  return evictions;
}

/** All combinations of this size, with earlier elements first. */
function* choices<T>(all: readonly T[], size: number, from = 0): Generator<readonly T[]> {
  if (size === 0) yield [];
  else for (const [i, one] of all.entries()) if (i >= from) for (const others of choices(all, size - 1, i + 1)) yield [one, ...others];
}
