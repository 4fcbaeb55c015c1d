import { type Io, print } from '../io.ts';
import { truncate } from '../terminal.ts';

const eraseLine = '\r\u001b[K';

/**
 * The output of a following command: data on stdout, notes on stderr and, if stderr is a terminal,
 * a progress line at the bottom. That line is erased before anything else is written, so the two
 * never mix.
 */
export class Screen {
  readonly #io: Io;
  #progress = '';

  constructor(io: Io) {
    this.#io = io;
  }

  get hasProgress(): boolean {
    return this.#io.stderr.isTTY === true;
  }

  async write(text: string): Promise<void> {
    if (text === '') return;
    this.#erase();
    await print(this.#io.stdout, text);
    this.#draw();
  }

  note(text: string): void {
    this.#erase();
    this.#io.stderr.write(`${text}\n`);
    this.#draw();
  }

  progress(text: string): void {
    if (!this.hasProgress || text === this.#progress) return;
    this.#erase();
    this.#progress = text;
    this.#draw();
  }

  #erase(): void {
    if (this.#progress !== '') this.#io.stderr.write(eraseLine);
  }

  #draw(): void {
    // One column short, because some terminals wrap after the last one. A terminal of unknown width
    // says 0.
    if (this.#progress !== '') this.#io.stderr.write(truncate(this.#progress, (this.#io.stderr.columns || 80) - 1));
  }
}
