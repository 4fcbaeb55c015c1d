/**
 * How long a step has waited for a device: one with free capacity, or one where others are evicted
 * for it. A device may be online and still never take the step: it hangs, it claims only for
 * another project, or its running command does not stop. After the time limit the reservation ends.
 * Otherwise capacity would be reserved for nothing, and the step would not run on other devices.
 *
 * Kept in memory: each gateway measures from when it first saw the step wait there.
 */
interface Wait {
  readonly since: number;
  readonly seen: number;
}

/**
 * A step that was not seen to wait for a device in several passes starts anew if it returns to it.
 */
const QUIET_MS = 30_000;
/** A device that was given up is considered again after this many times the limit. */
const AGAIN_AFTER = 4;

export class Reservations {
  readonly #waits = new Map<string, Wait>();

  /** Records that the step waits for this device now. */
  note(stepId: string, deviceId: string, now: Date): void {
    const name = nameOf(stepId, deviceId);
    const at = now.getTime();
    const known = this.#waits.get(name);
    // Also starts anew if the clock went back (P13).
    const goesOn = known !== undefined && known.seen <= at && at - known.seen <= QUIET_MS;
    this.#waits.set(name, { since: goesOn ? known.since : at, seen: at });
  }

  /** Whether the step has waited for this device up to the limit. */
  isOver(stepId: string, deviceId: string, seconds: number): boolean {
    const wait = this.#waits.get(nameOf(stepId, deviceId));
    return wait !== undefined && isLong(wait, seconds);
  }

  /** Forgets waits that have not continued, and devices that were given up long ago. */
  forgetOld(now: Date, seconds: number): void {
    for (const [name, wait] of this.#waits) {
      const quiet = now.getTime() - wait.seen;
      if (quiet > (isLong(wait, seconds) ? AGAIN_AFTER * seconds * 1_000 : QUIET_MS)) this.#waits.delete(name);
    }
  }
}

const isLong = ({ since, seen }: Wait, seconds: number) => seen - since >= seconds * 1_000;
const nameOf = (stepId: string, deviceId: string) => `${stepId} ${deviceId}`;
