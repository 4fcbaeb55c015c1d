import type { LogChunkFieldsFragment } from '../../client/generated.ts';
import { lastWrite } from '../../text/lines.ts';
import { cleanLog, cleanName } from '../terminal.ts';

/** A longer line (a bar of dots, a dump) is shown in pieces of this many characters. */
const longestLine = 16_384;

type Chunk = Pick<LogChunkFieldsFragment, 'stepNumber' | 'attempt' | 'stream' | 'text'>;

/**
 * Assembles whole lines from log chunks. Chunks end anywhere, so the rest of a line waits for its
 * end, also across a colour code or a line of the other stream. For a line that is overwritten
 * (`\r`, as progress bars do) the last write counts.
 */
export class LogLines {
  readonly #keepColours: boolean;
  readonly #begun = new Map<string, string>();
  #newest = '';

  constructor(keepColours: boolean) {
    this.#keepColours = keepColours;
  }

  /** The lines that this chunk completes, cleaned, with line ends. Empty if there are none. */
  take(chunk: Chunk): string {
    const source = `${chunk.stepNumber}/${chunk.attempt}/${chunk.stream}`;
    const text = (this.#begun.get(source) ?? '') + chunk.text;
    const end = text.lastIndexOf('\n') + 1;
    // A final \r may be half of a \r\n, and the text before it stands until it is overwritten.
    const rest = text.slice(end).replace(/^[^\n]*\r(?=[^\r])/, '');
    this.#newest = source;
    if (rest.length > longestLine) {
      this.#begun.delete(source);
      return cleanLog(`${text}\n`, this.#keepColours);
    }
    if (rest === '') this.#begun.delete(source);
    else this.#begun.set(source, rest);
    return end === 0 ? '' : cleanLog(text.slice(0, end), this.#keepColours);
  }

  /** The unfinished line that was written to last: perhaps a progress bar. */
  get begun(): string {
    return cleanName(lastWrite(this.#begun.get(this.#newest) ?? ''));
  }

  /** The unfinished lines, which will not be finished any more. */
  flush(): string {
    const rest = [...this.#begun.values()].map((text) => cleanLog(`${text}\n`, this.#keepColours));
    this.#begun.clear();
    return rest.join('');
  }
}

/**
 * Tells which step the log now belongs to, if the job has several steps or a step several attempts.
 */
export class LogHeaders {
  readonly #names: Map<number, string>;
  #source = '';

  constructor(steps: readonly { readonly number: number; readonly name: string }[]) {
    this.#names = new Map(steps.map(({ number, name }) => [number, name]));
  }

  /** Adds steps that the job got. */
  add(steps: readonly { readonly number: number; readonly name: string }[]): void {
    for (const { number, name } of steps) this.#names.set(number, name);
  }

  /** The line to show before this chunk. Undefined if the step is the same. */
  before({ stepNumber, attempt }: Chunk): string | undefined {
    const source = `${stepNumber}/${attempt}`;
    if (source === this.#source) return undefined;
    const isPlain = this.#source === '' && this.#names.size <= 1 && attempt === 1;
    this.#source = source;
    const name = cleanName(this.#names.get(stepNumber) ?? '');
    return isPlain ? undefined : `-- log of step ${stepNumber}${name && ` ${name}`}${attempt === 1 ? '' : `, attempt ${attempt}`} --`;
  }
}
