import type { LogChunkFieldsFragment } from '../client/generated.ts';
import { cleanLog } from './terminal.ts';

/** A line that does not end (a bar of dots, a dump) is shown in pieces of this many characters. */
const longestLine = 16_384;

/**
 * Chunks of a log into whole lines. Chunks end where the process happened to be; what a colour code or a line of the other stream would cut in two
 * waits for the rest of it.
 */
export class LogLines {
  readonly #keepColours: boolean;
  readonly #begun = new Map<string, string>();

  constructor(keepColours: boolean) {
    this.#keepColours = keepColours;
  }

  /** The lines that this chunk completes, clean, each with its end; empty while there is none. */
  take(chunk: Pick<LogChunkFieldsFragment, 'stepNumber' | 'attempt' | 'stream' | 'text'>): string {
    const source = `${chunk.stepNumber}/${chunk.attempt}/${chunk.stream}`;
    const text = (this.#begun.get(source) ?? '') + chunk.text;
    // A \r at the very end may be half of a \r\n.
    const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r', text.length - 2)) + 1;
    const rest = text.slice(end);
    if (rest.length > longestLine) {
      this.#begun.delete(source);
      return cleanLog(`${text}\n`, this.#keepColours);
    }
    if (rest === '') this.#begun.delete(source);
    else this.#begun.set(source, rest);
    return end === 0 ? '' : asLines(cleanLog(text.slice(0, end), this.#keepColours));
  }

  /** What was begun and will not be ended any more. */
  flush(): string {
    const rest = [...this.#begun.values()].map((text) => asLines(cleanLog(text, this.#keepColours)));
    this.#begun.clear();
    return rest.join('');
  }
}

function asLines(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
