/** Limits lines to a few a second. Of those in between, only the newest is shown. */
export class PacedLines {
  readonly #print: (line: string) => void;
  readonly #perSecond: number;
  #free: number;
  #freedAt = performance.now();
  #newest: (() => string) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #passedOver = 0;

  constructor(print: (line: string) => void, perSecond = 3) {
    this.#print = print;
    this.#perSecond = perSecond;
    this.#free = perSecond;
  }

  /** How many lines were not shown so far. */
  get passedOver(): number {
    return this.#passedOver;
  }

  add(line: () => string): void {
    if (this.#newest !== undefined) this.#passedOver += 1;
    this.#newest = line;
    this.#showNewest();
  }

  /** Shows the newest line if it was held back. No later line appears by itself. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const line = this.#newest;
    this.#newest = undefined;
    if (line !== undefined) this.#print(line());
  }

  #showNewest(): void {
    const now = performance.now();
    this.#free = Math.min(this.#perSecond, this.#free + ((now - this.#freedAt) / 1_000) * this.#perSecond);
    this.#freedAt = now;
    if (this.#free >= 1) {
      this.#free -= 1;
      this.flush();
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        if (this.#newest !== undefined) this.#showNewest();
      }, 1_000 / this.#perSecond);
    }
  }
}
