/**
 * How long a step waits for a place that it was to have: one that is free, or that others were told to leave. A device that is there and never comes for
 * the step (it hangs, it claims for another project alone, what runs on it does not let go) is not counted on for ever: others would keep a place free
 * for nothing, and the step would wait beside places that it could have.
 *
 * In memory: each gateway counts for itself, from when it first saw the step wait there.
 */
interface Wait {
  readonly since: number;
  readonly seen: number;
}

/** Who was not seen to wait for a place in several passes begins anew if it comes to this one again. */
const QUIET_MS = 30_000;
/** A place that was given up is thought of again after so many times what it was waited for. */
const AGAIN_AFTER = 4;

export class Reservations {
  readonly #waits = new Map<string, Wait>();

  /** Notes that the step waits for this device, now. */
  note(stepId: string, deviceId: string, now: Date): void {
    const name = nameOf(stepId, deviceId);
    const at = now.getTime();
    const known = this.#waits.get(name);
    // Nor when the clock went back (P13).
    const goesOn = known !== undefined && known.seen <= at && at - known.seen <= QUIET_MS;
    this.#waits.set(name, { since: goesOn ? known.since : at, seen: at });
  }

  /** Whether the step has waited for this device as long as one waits. */
  isOver(stepId: string, deviceId: string, seconds: number): boolean {
    const wait = this.#waits.get(nameOf(stepId, deviceId));
    return wait !== undefined && isLong(wait, seconds);
  }

  /** Forgets what was not waited for of late, and what was given up long ago. */
  forgetOld(now: Date, seconds: number): void {
    for (const [name, wait] of this.#waits) {
      const quiet = now.getTime() - wait.seen;
      if (quiet > (isLong(wait, seconds) ? AGAIN_AFTER * seconds * 1_000 : QUIET_MS)) this.#waits.delete(name);
    }
  }
}

const isLong = ({ since, seen }: Wait, seconds: number) => seen - since >= seconds * 1_000;
const nameOf = (stepId: string, deviceId: string) => `${stepId} ${deviceId}`;
