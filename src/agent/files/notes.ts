/** Notes on what a step did wrong, for its log: the first of them as they are, and of the others how many there were. A step may do as much wrong as it likes. */
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

  /** Says how many were not said. `what`: a word for what they are about, in the plural. */
  end(what: string): void {
    const left = this.#count - this.#most;
    if (left > 0) this.#note(`And ${left} more notes on ${what}.`);
    this.#count = 0;
  }
}
