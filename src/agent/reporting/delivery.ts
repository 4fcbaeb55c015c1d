import { Refused, RequestRefused, unwrap } from '../../client/errors.ts';
import { ReportProgressDocument, type ReportProgressInput } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import { quoteName } from '../../text/acceptable.ts';
import { wait } from '../../timing/backoff.ts';
import type { LeaseKeeper } from '../attempt/lease.ts';
import { Notes } from '../files/notes.ts';
import { requestUntilAnswered } from '../retrying.ts';
import { defaultOutboxLimits, type Outbox, type OutboxBatch, type OutboxEntry } from './outbox.ts';

/** Without an answer for this long, the gateway counts as away. */
const awayMilliseconds = 5_000;

/**
 * The pause after a report that emptied the outbox: log, metrics and samples from that time go
 * together.
 */
const periodMilliseconds = 100;

/**
 * Delivers an outbox to the gateway, oldest first, one report at a time: the next one is sent after
 * the one before was answered. So the log keeps its order across any failure. An answer may also
 * order the step to stop; the lease keeper learns that.
 */
export class Delivery {
  readonly #client: Requester;
  readonly #token: string;
  readonly #outbox: Outbox;
  readonly #lease: LeaseKeeper;
  readonly #note: (line: string) => void;
  readonly #notes: Notes;
  #answeredAt = performance.now();
  /**
   * How far the gateway's offsets are behind the outbox's: bytes left out because it refused them.
   */
  #behind = 0;
  /** Halved when a report is refused, to find the entry at fault. Doubled when one is accepted. */
  #maxEntries = defaultOutboxLimits.batchEntries;

  constructor(options: { client: Requester; token: string; outbox: Outbox; lease: LeaseKeeper; note: (line: string) => void }) {
    this.#client = options.client;
    this.#token = options.token;
    this.#outbox = options.outbox;
    this.#lease = options.lease;
    this.#note = options.note;
    this.#notes = new Notes(options.note);
  }

  /** Whether the gateway accepts reports, so the outbox will soon be empty. */
  get isMoving(): boolean {
    return performance.now() - this.#answeredAt < awayMilliseconds;
  }

  /**
   * Delivers until the outbox has ended and is empty, the lease is lost, or `giveUp` is aborted.
   * Never rejects because of the gateway.
   */
  async run(giveUp: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([this.#lease.lost, giveUp]);
    while (!signal.aborted) {
      await this.#outbox.hasEntries();
      if (this.#outbox.isEmpty) this.#notes.end('what was left out');
      if (this.#outbox.isEmpty || signal.aborted) return;
      await this.#deliver(this.#outbox.peek(this.#maxEntries), signal);
      // If entries are left, send them at once.
      if (this.#outbox.isEmpty && !this.#outbox.isEnded) await wait(periodMilliseconds, signal).catch(() => {});
    }
  }

  async #deliver(batch: OutboxBatch, signal: AbortSignal): Promise<void> {
    const input = { leaseToken: this.#token, ...toReport(batch.entries, this.#behind) };
    try {
      const { reportProgress } = await requestUntilAnswered(this.#client, ReportProgressDocument, { input }, { signal });
      this.#answeredAt = performance.now();
      const answer = unwrap(reportProgress);
      this.#maxEntries = Math.min(defaultOutboxLimits.batchEntries, this.#maxEntries * 2);
      this.#lease.learn(answer);
      if (this.#isBehind(batch.entries, answer.nextLogOffset)) return;
      this.#outbox.drop(batch);
      this.#noteIgnored(answer.ignoredMetrics);
    } catch (error) {
      if (signal.aborted || this.#lease.learnRefusal(error)) return;
      this.#takeRefusal(batch, error);
    }
  }

  /**
   * A gap in the log: the gateway expects an offset before the batch's first chunk. The missing
   * text was dropped after its delivery, or refused, and is not here any more. So all offsets are
   * reduced by that much from now on, and the batch is sent again.
   */
  #isBehind(entries: readonly OutboxEntry[], nextLogOffset: number): boolean {
    const first = entries.find((entry) => entry.kind === 'log');
    if (first === undefined || nextLogOffset >= first.offset - this.#behind) return false;
    const missing = first.offset - this.#behind - nextLogOffset;
    this.#behind += missing;
    this.#note(`${missing} bytes of the log before this line are missing in the gateway.`);
    return true;
  }

  /**
   * The same stored value means that it was delivered twice. A different one is the script's
   * mistake.
   */
  #noteIgnored(ignored: readonly Ignored[]): void {
    for (const { name, iteration, value, storedValue } of ignored)
      if (value !== storedValue)
        this.#notes.add(`Left out ${value} as the metric ${quoteName(name)} of iteration ${iteration}, which is ${storedValue} already.`);
  }

  /**
   * The gateway refuses something in the batch. Halves are tried until the entry is found, which is
   * then left out with a note.
   */
  #takeRefusal(batch: OutboxBatch, error: unknown): void {
    if (!(error instanceof Refused || error instanceof RequestRefused)) throw error;
    if (batch.entries.length > 1) {
      this.#maxEntries = Math.ceil(batch.entries.length / 2);
      return;
    }
    this.#outbox.drop(batch);
    // No note for a refused line of the agent's own: that would go on for ever.
    const [entry] = batch.entries;
    if (entry !== undefined && !(entry.kind === 'log' && entry.stream === 'SYSTEM'))
      this.#notes.add(`Left out ${describe(entry)}: ${error.message}`);
  }
}

interface Ignored {
  readonly name: string;
  readonly iteration: number;
  readonly value: number;
  readonly storedValue: number;
}

function describe(entry: OutboxEntry): string {
  if (entry.kind === 'metric') return `the metric ${quoteName(entry.name)} of iteration ${entry.iteration}`;
  if (entry.kind === 'log') return `${Buffer.byteLength(entry.text)} bytes of the log`;
  return entry.kind === 'telemetry' ? 'a telemetry sample' : 'a report of its state';
}

/** The entries as the lists of one report, each in order. */
function toReport(entries: readonly OutboxEntry[], behind: number): Omit<ReportProgressInput, 'leaseToken'> {
  const metrics = entries.filter((entry) => entry.kind === 'metric').map(({ kind: _, ...metric }) => metric);
  const telemetry = entries.filter((entry) => entry.kind === 'telemetry').map(({ kind: _, ...sample }) => sample);
  const log = entries.filter((entry) => entry.kind === 'log').map(({ kind: _, ...chunk }) => ({ ...chunk, offset: chunk.offset - behind }));
  const states = entries.filter((entry) => entry.kind === 'state').map(({ kind: _, ...state }) => state);
  return {
    ...(metrics.length > 0 && { metrics }),
    ...(telemetry.length > 0 && { telemetry }),
    ...(log.length > 0 && { log }),
    ...Object.assign({}, ...states),
  };
}
