/**
 * Notes for a step's log on what the step did wrong. Writes the first ones and counts the others,
 * because a step may do any amount wrong.
 */
export class Notes {
  readonly #note: (line: string) => void;
  readonly #most: number;
  #count = 0;

  constructor(note: (line: string) => void, most = 50) {
    this.#note = note;
    this.#most = most;
  }

  add(line: string): void {
    this.#count += 1;
    if (this.#count <= this.#most) this.#note(line);
  }

  /** Notes how many were left out. `what` names their subject, in the plural. */
  end(what: string): void {
    const left = this.#count - this.#most;
    if (left > 0) this.#note(`And ${left} more notes on ${what}.`);
    this.#count = 0;
  }
}
