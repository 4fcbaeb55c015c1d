import { type Io, print } from '../io.ts';
import { truncate } from '../terminal.ts';

const eraseLine = '\r\u001b[K';

/**
 * What a command that follows something writes: data to stdout, notes to stderr, and, when stderr is a terminal, one line at the bottom that
 * is drawn over again. The line is taken away before anything else is written, so that the two never mix.
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
    // One column short: in the last one, some terminals go to the next line. One that does not know its width says 0.
    if (this.#progress !== '') this.#io.stderr.write(truncate(this.#progress, (this.#io.stderr.columns || 80) - 1));
  }
}
