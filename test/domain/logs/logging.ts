/** Writes random logs, and says what their lines should be. */
import { asc, eq } from 'drizzle-orm';
import { completeStep, failStep } from '../../../src/domain/claims/outcomes.ts';
import { appendLog } from '../../../src/domain/claims/progress.ts';
import type { LogChunkRow, StepRow } from '../../../src/store/schema/tables.ts';
import type { Queries } from '../../../src/store/store.ts';
import { pickNumber, pickOne } from '../../support/random.ts';
import { admin, type Seed, type SeededJob } from '../../support/seed.ts';

export type Random = (bytes: number) => Buffer;

/** Texts that split, end and overwrite lines in every way. */
const TEXTS: readonly [string, ...string[]] = [
  'a',
  'one\n',
  '\n',
  'x\ny',
  'half ',
  '\r',
  '\r\n',
  '10%\r20%',
  '\n\n\nz',
  'é€\n',
  `${'long '.repeat(40)}\n`,
];

/** Appends chunks to a step of a job, attempt after attempt. */
export class Logger {
  readonly #seed: () => Seed;
  readonly #job: SeededJob;
  readonly #stepNumber: number;
  #lease: string | null = null;
  #sent: { offset: number; text: string; stream: 'STDOUT' | 'STDERR' }[] = [];
  #size = 0;

  constructor(seed: () => Seed, job: SeededJob, stepNumber = 0) {
    this.#seed = seed;
    this.#job = job;
    this.#stepNumber = stepNumber;
  }

  async write(...texts: readonly string[]): Promise<void> {
    this.#lease ??= (await this.#seed().claim(this.#job, this.#stepNumber, undefined, 3_600)).lease.token;
    const chunks = texts.map((text) => {
      const chunk = { offset: this.#size, text, stream: 'STDOUT' as const };
      this.#size += Buffer.byteLength(text);
      return chunk;
    });
    this.#sent.push(...chunks);
    await appendLog(this.#seed().domain, admin, { leaseToken: this.#lease, chunks });
  }

  /** Sends again what an attempt has sent last, as a device does that got no answer. */
  async repeat(count: number): Promise<void> {
    if (this.#lease !== null) await appendLog(this.#seed().domain, admin, { leaseToken: this.#lease, chunks: this.#sent.slice(-count) });
  }

  /** Ends the attempt. The step is queued again. */
  async fail(): Promise<void> {
    if (this.#lease !== null) await failStep(this.#seed().domain, admin, { leaseToken: this.#lease });
    this.#lease = null;
    this.#sent = [];
    this.#size = 0;
  }

  /** Ends the step, and lets the next one begin. */
  async complete(): Promise<void> {
    this.#lease ??= (await this.#seed().claim(this.#job, this.#stepNumber)).lease.token;
    await completeStep(this.#seed().domain, admin, { leaseToken: this.#lease });
    this.#lease = null;
  }

  /** Writes, sends again, or ends the attempt. */
  async something(random: Random): Promise<void> {
    const dice = pickNumber(random, 12);
    if (dice === 0) await this.fail();
    else if (dice < 3) await this.repeat(1 + pickNumber(random, 3));
    else await this.write(...Array.from({ length: pickNumber(random, 5) }, () => pickOne(random, TEXTS)));
  }
}

export const readChunks = ({ db, t }: Queries, jobId: string): Promise<LogChunkRow[]> =>
  db.select().from(t.logChunks).where(eq(t.logChunks.jobId, jobId)).orderBy(asc(t.logChunks.seq));

export interface Line {
  readonly attempt: number;
  readonly line: number;
  readonly text: string;
}

/** The lines of a step, from the texts of its chunks alone. */
export function linesOf(chunks: readonly LogChunkRow[], stepNumber = 0): Line[] {
  const attempts = Map.groupBy(
    chunks.filter((chunk) => chunk.stepNumber === stepNumber),
    ({ attempt }) => attempt,
  );
  return [...attempts].flatMap(([attempt, ofAttempt]) => {
    const texts = ofAttempt
      .map(({ text }) => text)
      .join('')
      .split('\n');
    if (texts.at(-1) === '') texts.pop();
    return texts.map((text, i) => ({ attempt, line: i + 1, text }));
  });
}

/** The line that each chunk begins in, from the texts before it alone. */
export function firstLinesOf(chunks: readonly LogChunkRow[]): number[] {
  return chunks.map((chunk, i) => {
    const before = chunks.slice(0, i).filter(({ stepNumber, attempt }) => stepNumber === chunk.stepNumber && attempt === chunk.attempt);
    return before
      .map(({ text }) => text)
      .join('')
      .split('\n').length;
  });
}

/** What the counts of a step should be. */
export const countsOf = (chunks: readonly LogChunkRow[], { number }: StepRow): { bytes: number; lines: number } => ({
  bytes: chunks.filter(({ stepNumber }) => stepNumber === number).reduce((sum, { size }) => sum + size, 0),
  lines: linesOf(chunks, number).length,
});
