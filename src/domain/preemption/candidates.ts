/** Who makes room: the choice itself, on what is known of devices and their steps. Nothing is read or written here. */
import type { DeviceRow, QueueRow } from '../../store/schema/tables.ts';
import type { Resources } from '../core/vocabulary.ts';
import { type Claimant, hasRoom, type Reservation } from '../steps/matching.ts';

/** A step that a device holds. */
export interface HeldStep {
  readonly id: string;
  readonly attempt: number;
  readonly priority: number;
  /** Whether it may be told to make room. */
  readonly isPreemptible: boolean;
  readonly claimedAt: Date;
  readonly resources: Resources;
}

/** A device as it will be when those that were told to leave have left. */
export interface Place {
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

const claimantAt = ({ device, held, reserved }: Place, without: readonly HeldStep[] = []): Claimant => ({
  device,
  projectId: device.projectId,
  held: held.filter((step) => !without.includes(step)),
  reserved,
});

/** Whether the step could run there, were the place empty. */
export const couldRunAt = ({ device }: Place, step: Waiting): boolean =>
  hasRoom({ device, projectId: device.projectId, held: [], reserved: [] }, step, step.queue);

export const hasRoomAt = (place: Place, step: Waiting, without: readonly HeldStep[] = []): boolean =>
  hasRoom(claimantAt(place, without), step, step.queue);

/** Who has to leave which place so that the step can run there: the fewest, of the lowest priority, the youngest. Null: that is nowhere possible. */
export function chooseVictims(places: readonly Place[], step: Waiting): { place: Place; victims: readonly HeldStep[] } | null {
  let best: { place: Place; victims: readonly HeldStep[] } | null = null;
  for (const place of places) {
    const victims = victimsAt(place, step);
    if (victims && (!best || isBetter(victims, best.victims))) best = { place, victims };
  }
  return best;
}

function isBetter(a: readonly HeldStep[], b: readonly HeldStep[]): boolean {
  const highest = (steps: readonly HeldStep[]) => Math.max(...steps.map(({ priority }) => priority));
  const oldest = (steps: readonly HeldStep[]) => Math.min(...steps.map(({ claimedAt }) => claimedAt.getTime()));
  return (a.length - b.length || highest(a) - highest(b) || oldest(b) - oldest(a)) < 0;
}

function victimsAt(place: Place, step: Waiting): readonly HeldStep[] | null {
  const candidates = place.held
    .filter(({ isPreemptible, priority }) => isPreemptible && priority <= step.priority)
    .sort((a, b) => a.priority - b.priority || b.claimedAt.getTime() - a.claimedAt.getTime() || (a.id < b.id ? 1 : -1))
    .slice(0, MOST_CANDIDATES);
  // Not even if all of them left.
  if (!hasRoomAt(place, step, candidates)) return null;
  let looked = 0;
  for (let size = 1; size <= candidates.length; size++) {
    for (const victims of choices(candidates, size)) {
      if (hasRoomAt(place, step, victims)) return victims;
      if (++looked === MOST_CHOICES) return sparing(place, step, candidates);
    }
  }
  return candidates;
}

/** All but those that can stay, who is to be spared most first. */
function sparing(place: Place, step: Waiting, candidates: readonly HeldStep[]): readonly HeldStep[] {
  let victims = candidates;
  for (const spared of [...candidates].reverse()) {
    const fewer = victims.filter((victim) => victim !== spared);
    if (hasRoomAt(place, step, fewer)) victims = fewer;
  }
  return victims;
}

/** Every choice of so many of these, those of the first ones first. */
function* choices<T>(all: readonly T[], size: number, from = 0): Generator<readonly T[]> {
  if (size === 0) yield [];
  else for (const [i, one] of all.entries()) if (i >= from) for (const others of choices(all, size - 1, i + 1)) yield [one, ...others];
}
