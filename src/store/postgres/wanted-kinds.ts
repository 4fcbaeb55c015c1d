/**
 * What the gateways of one PostgreSQL want to hear of from each other.
 *
 * A NOTIFY costs PostgreSQL a transaction at the sender and one at every gateway, and most changes
 * are of things that nobody watches. So each gateway tells the others which kinds of topics it has
 * listeners for, and they send it only those.
 *
 * No hint is missed. A gateway that has heard of a new wish acknowledges it, and whoever wished
 * looks at everything again: what was committed before, it finds, and what is committed later, it
 * is told. In its first seconds a gateway sends everything, because the others have not told it
 * their wishes yet.
 */
import { anyTopic, kindOf, type Topic } from '../store.ts';

const EVERYTHING_MS = 5_000;
/**
 * A gateway repeats its wishes so often, and then leaves out what it no longer wants. Not at once:
 * streams come and go.
 */
export const REPEAT_EVERY_MS = 60_000;
/** A gateway that has not repeated its wishes for so long is gone. */
const FORGET_AFTER_MS = 3 * REPEAT_EVERY_MS;

interface Wishes {
  readonly kinds: ReadonlySet<string>;
  readonly heardAt: number;
}

export class WantedKinds {
  /** The number of listeners here, by kind. */
  readonly #listeners = new Map<string, number>();
  /** What the others have been told. */
  #told = new Set<string>();
  /** What other gateways want, by the process that serves their connection. */
  readonly #others = new Map<number, Wishes>();
  #everythingUntil = 0;

  /** Whether this is something new to tell the others. */
  add(kinds: readonly string[]): boolean {
    let isNew = false;
    for (const kind of kinds) {
      this.#listeners.set(kind, (this.#listeners.get(kind) ?? 0) + 1);
      if (this.#told.has(kind)) continue;
      this.#told.add(kind);
      isNew = true;
    }
    return isNew;
  }

  remove(kinds: readonly string[]): void {
    for (const kind of kinds) {
      const left = (this.#listeners.get(kind) ?? 0) - 1;
      if (left > 0) this.#listeners.set(kind, left);
      else this.#listeners.delete(kind);
    }
  }

  /** What to tell the others. */
  get own(): readonly string[] {
    return [...this.#told];
  }

  /** This gateway has a new connection: nobody has told it anything. */
  begin(): void {
    this.#others.clear();
    this.#everythingUntil = performance.now() + EVERYTHING_MS;
  }

  /** Call it before the wishes are repeated. */
  tidy(): void {
    this.#told = new Set(this.#listeners.keys());
    const since = performance.now() - FORGET_AFTER_MS;
    for (const [processId, { heardAt }] of this.#others) if (heardAt < since) this.#others.delete(processId);
  }

  /**
   * Another gateway has told its wishes. `hasMissed`: until now, it was not sent all that it wants.
   */
  hear(processId: number, kinds: readonly string[]): { readonly isNewcomer: boolean; readonly hasMissed: boolean } {
    const before = this.#others.get(processId);
    const hasMissed = !this.#sendsEverything && kinds.some((kind) => !before?.kinds.has(kind));
    this.#others.set(processId, { kinds: new Set(kinds), heardAt: performance.now() });
    return { isNewcomer: before === undefined, hasMissed };
  }

  get #sendsEverything(): boolean {
    return performance.now() < this.#everythingUntil;
  }

  isWantedElsewhere(topic: Topic): boolean {
    if (topic === anyTopic || this.#sendsEverything) return true;
    const kind = kindOf(topic);
    for (const { kinds } of this.#others.values()) if (kinds.has(kind) || kinds.has(anyTopic)) return true;
    return false;
  }
}
