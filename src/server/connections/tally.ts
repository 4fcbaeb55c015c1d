import type { Principal } from '../../domain/access/principal.ts';

/**
 * What a principal's points, sockets and streams are counted by: its key, or its name where there is none. A device's keys count together: it can
 * make itself more of them by rotation.
 */
export function keyOf({ kind, deviceId, keyId, name }: Principal): string {
  return (kind === 'DEVICE' ? deviceId : null) ?? keyId ?? name;
}

/** How many of something each name holds, none holding more than `limit`. */
export class Tally {
  readonly #limit: number;
  readonly #counts = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes one more for `name`. Null: it holds as many as it may. Else what gives it back, once, however often it is called. */
  take(name: string): (() => void) | null {
    const count = this.#counts.get(name) ?? 0;
    if (count >= this.#limit) return null;
    this.#counts.set(name, count + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const left = (this.#counts.get(name) ?? 1) - 1;
      if (left === 0) this.#counts.delete(name);
      else this.#counts.set(name, left);
    };
  }
}
