import type { Principal } from '../../domain/access/principal.ts';

/**
 * The name under which a principal's points, sockets and streams are counted: its key, or its name
 * if it has none. All keys of a device count together, because it can create more by rotation.
 */
export function keyOf({ kind, deviceId, keyId, name }: Principal): string {
  return (kind === 'DEVICE' ? deviceId : null) ?? keyId ?? name;
}

/** Counts how many of something each name holds, up to `limit`. */
export class Tally {
  readonly #limit: number;
  readonly #counts = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Takes one more for `name`. Null: it holds as many as it may. Otherwise a function that gives it
   * back, which is safe to call more than once.
   */
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
