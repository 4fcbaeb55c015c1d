import type { LogChunkFieldsFragment } from '../../client/generated.ts';
import { cleanLog, cleanName, lastWrite } from '../terminal.ts';

/** A line that does not end (a bar of dots, a dump) is shown in pieces of this many characters. */
const longestLine = 16_384;

type Chunk = Pick<LogChunkFieldsFragment, 'stepNumber' | 'attempt' | 'stream' | 'text'>;

/**
 * Chunks of a log into whole lines. Chunks end where the process happened to be; what a colour code or a line of the other stream would cut in two
 * waits for the rest of it. Of a line that is written over (`\r`, as bars of progress do) the last write counts.
 */
export class LogLines {
  readonly #keepColours: boolean;
  readonly #begun = new Map<string, string>();
  #newest = '';

  constructor(keepColours: boolean) {
    this.#keepColours = keepColours;
  }

  /** The lines that this chunk completes, clean, each with its end; empty while there is none. */
  take(chunk: Chunk): string {
    const source = `${chunk.stepNumber}/${chunk.attempt}/${chunk.stream}`;
    const text = (this.#begun.get(source) ?? '') + chunk.text;
    const end = text.lastIndexOf('\n') + 1;
    // A \r at the very end may be half of a \r\n, and what was written before it stands until something is written over it.
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

  /** The line that was written to last and is not ended yet: a bar of progress, perhaps. */
  get begun(): string {
    return cleanName(lastWrite(this.#begun.get(this.#newest) ?? ''));
  }

  /** What was begun and will not be ended any more. */
  flush(): string {
    const rest = [...this.#begun.values()].map((text) => cleanLog(`${text}\n`, this.#keepColours));
    this.#begun.clear();
    return rest.join('');
  }
}

/** Which step a log speaks of now, where a job has more than one, or a step was tried more than once. */
export class LogHeaders {
  readonly #names: Map<number, string>;
  #source = '';

  constructor(steps: readonly { readonly number: number; readonly name: string }[]) {
    this.#names = new Map(steps.map(({ number, name }) => [number, name]));
  }

  /** Steps that came to the job. */
  add(steps: readonly { readonly number: number; readonly name: string }[]): void {
    for (const { number, name } of steps) this.#names.set(number, name);
  }

  /** The line to show before this chunk; undefined while the log is of the same. */
  before({ stepNumber, attempt }: Chunk): string | undefined {
    const source = `${stepNumber}/${attempt}`;
    if (source === this.#source) return undefined;
    const isPlain = this.#source === '' && this.#names.size <= 1 && attempt === 1;
    this.#source = source;
    const name = cleanName(this.#names.get(stepNumber) ?? '');
    return isPlain ? undefined : `-- log of step ${stepNumber}${name && ` ${name}`}${attempt === 1 ? '' : `, attempt ${attempt}`} --`;
  }
}
