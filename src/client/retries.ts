import { type Backoff, delayMs } from '../timing/backoff.ts';

/** Something that worked this long was good: the next failure is the first again. */
const goodMs = 5_000;

/** The pauses between tries. */
export class Retries {
  readonly #backoff: Backoff;
  #failures = 0;
  #goodSince: number | undefined;

  constructor(backoff: Backoff) {
    this.#backoff = backoff;
  }

  /** Call it when a try works. */
  works(): void {
    this.#goodSince ??= performance.now();
  }

  /** Call it when a try failed or what worked has ended. Returns the pause before the next try. */
  failed(): number {
    if (this.#goodSince !== undefined && performance.now() - this.#goodSince >= goodMs) this.#failures = 0;
    this.#goodSince = undefined;
    this.#failures += 1;
    return delayMs(this.#backoff, this.#failures);
  }
}
