import {
  type EventsSubscription,
  type JobNameQuery,
  type JobStatus,
  type JobStatusSubscription,
  JobWaitingDocument,
  type LogSubscription,
  type MetricPointFieldsFragment,
} from '../../client/generated.ts';
import type { SubscribeOptions } from '../../client/subscription.ts';
import type { Context } from '../command.ts';
import { exitCodes, toJson } from '../io.ts';
import { cleanName, truncate } from '../terminal.ts';
import { formatNumber, formatSpan } from './format.ts';
import { LogHeaders, LogLines } from './loglines.ts';
import type { Entry } from './merge.ts';
import { PacedLines } from './pace.ts';
import { Screen } from './screen.ts';

type StatusFrame = JobStatusSubscription['jobStatus'];
type Event = EventsSubscription['events']['events'][number];
type LogFrame = LogSubscription['log'];

/** A free device claims a step in milliseconds. After this long, something is in the way. */
const explainAfterMs = 5_000;
const explainAgainMs = 15_000;

/**
 * The causal order of things that happened at the same time: a job runs, then its step, which logs
 * and reports and ends, and then the job ends.
 */
const ranks = { started: 0, log: 2, metrics: 3, fragment: 4, stepEnded: 5, jobEnded: 6 } as const;
const isEnded = (status: string): boolean => ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(status);

/** The state of a followed job, and how it is shown. */
export class Follower {
  readonly #context: Context;
  readonly #job: NonNullable<JobNameQuery['job']>;
  readonly #screen: Screen;
  readonly #lines: LogLines;
  readonly #headers: LogHeaders;
  readonly #metricLines: PacedLines;
  readonly #newest = new Map<string, MetricPointFieldsFragment>();
  readonly #tick: NodeJS.Timeout | undefined;
  readonly #lost = new Set<symbol>();
  #explaining: NodeJS.Timeout | undefined;
  #explained = '';
  #history: StatusFrame['history'] | undefined;
  #step = '';

  constructor(context: Context, job: NonNullable<JobNameQuery['job']>) {
    this.#context = context;
    this.#job = job;
    this.#screen = new Screen(context.io);
    this.#lines = new LogLines(context.io.stdout.isTTY === true && !context.io.env.NO_COLOR);
    this.#headers = new LogHeaders(job.steps);
    this.#metricLines = new PacedLines((line) => this.#screen.note(line));
    if (this.#screen.hasProgress && !context.isJson) this.#tick = setInterval(() => this.#showProgress(), 1_000);
  }

  printStatus(frame: StatusFrame): Entry[] {
    // At once, before the entries that led to it are shown: the line at the bottom and the wait for
    // a device are about now.
    this.#history = frame.history;
    this.#showProgress();
    this.#watchWaiting();
    return frame.transitions.map((transition) => {
      const show = () => this.#report('status', transition, () => `== job ${transition.to} (${because(transition)})`);
      return isEnded(transition.to)
        ? { ...entry(transition.at, ranks.jobEnded, show), isEnd: true }
        : entry(transition.at, ranks.started, show);
    });
  }

  printEvent(event: Event): Entry {
    const show = () => this.#showEvent(event);
    if (event.__typename === 'FragmentReadyEvent') return entry(event.at, ranks.fragment, show);
    const hasEnded = event.__typename === 'StepStatusChangedEvent' && isEnded(event.stepTo);
    return entry(event.at, hasEnded ? ranks.stepEnded : ranks.started, show);
  }

  printLog(frame: LogFrame): Entry[] {
    if (frame.missed > 0) this.note(`-- ${frame.missed} entries of the log are past retention --`);
    return frame.chunks.map((chunk) =>
      entry(chunk.at, ranks.log, async () => {
        if (this.#context.isJson) return this.#printLine('log', chunk);
        const header = this.#headers.before(chunk);
        if (header !== undefined) this.note(header);
        await this.#screen.write(this.#lines.take(chunk));
        if (this.#screen.hasProgress) this.#showProgress();
      }),
    );
  }

  /** One entry for all metrics of an iteration. */
  printMetrics(points: readonly MetricPointFieldsFragment[]): Entry[] {
    const groups = Map.groupBy(points, (point) => `${point.stepNumber}/${point.attempt}/${point.iteration}`);
    return [...groups.values()].map((group) =>
      entry(group[0]?.at ?? '', ranks.metrics, async () => {
        for (const point of group) this.#newest.set(point.name, point);
        if (this.#context.isJson) for (const point of group) await this.#printLine('metric', point);
        else if (this.#screen.hasProgress) this.#showProgress();
        else this.#metricLines.add(() => metricLine(group));
      }),
    );
  }

  /**
   * Reports at once that a connection is lost or cannot be made, and that it is back: once for all
   * streams together.
   */
  watchConnection(): NonNullable<SubscribeOptions['onState']> {
    const stream = Symbol('stream');
    return (state, reason) => {
      const before = this.#lost.size;
      if (reason !== undefined) this.#lost.add(stream);
      else if (state === 'live') this.#lost.delete(stream);
      if (before === 0 && this.#lost.size === 1) {
        const what = state === 'connecting' ? 'no connection' : 'connection lost';
        void this.#report(
          'connection',
          { state: 'reconnecting', reason },
          () => `-- ${what} (${cleanName(reason ?? '')}), reconnecting --`,
        );
      } else if (before === 1 && this.#lost.size === 0) {
        void this.#report('connection', { state: 'live' }, () => '-- reconnected, nothing was missed --');
      }
    };
  }

  note(text: string): void {
    this.#screen.note(text);
  }

  async stop(): Promise<void> {
    clearInterval(this.#tick);
    clearTimeout(this.#explaining);
    this.#screen.progress('');
    await this.#screen.write(this.#lines.flush());
    this.#metricLines.flush();
    const { passedOver } = this.#metricLines;
    if (passedOver > 0) this.note(`-- ${passedOver} more reports were not shown: trainyard metrics ${this.#job.id} --`);
  }

  async end(): Promise<number> {
    const status = this.#history?.status;
    const exitCode = codeOf(status);
    const [metrics, ran] = [this.#metricsText(), this.#ran()];
    const name = cleanName(this.#job.name);
    const text = `== ${name} ${status}${ran === '' ? '' : ` after ${ran}`}${metrics === '' ? '' : `: ${metrics}`}`;
    await this.#report('outcome', { status, exitCode }, () => text);
    return exitCode;
  }

  async #showEvent(event: Event): Promise<void> {
    if (event.__typename === 'StepStatusChangedEvent') {
      const { number, name } = event.step;
      this.#step = `step ${number} ${cleanName(name)}`;
      await this.#report('step', event, () => `== step ${number} ${cleanName(name)} ${event.stepTo} (${because(event)})`);
    } else if (event.__typename === 'FragmentReadyEvent') {
      const { id, filename, type } = event.fragment;
      await this.#report('fragment', event, () => `== fragment ${cleanName(filename)} (${type}) ${id}`);
    } else if (event.__typename === 'StepsAddedEvent') {
      this.#headers.add(event.steps);
      await this.#report('steps', event, () => `== ${event.steps.length} steps added`);
    }
    this.#showProgress();
  }

  /** Explains why the job waits for a device, after a while and again when the reason changes. */
  #watchWaiting(): void {
    clearTimeout(this.#explaining);
    if (this.#history?.status !== 'QUEUED') return;
    const explain = async (): Promise<void> => {
      await this.#explainWaiting().catch(() => {}); // The streams report that the gateway is away.
      if (this.#history?.status === 'QUEUED') this.#explaining = setTimeout(() => void explain(), explainAgainMs);
    };
    this.#explaining = setTimeout(() => void explain(), explainAfterMs);
  }

  async #explainWaiting(): Promise<void> {
    const { client, io } = this.#context;
    const { job } = await client.request(JobWaitingDocument, { id: this.#job.id }, { signal: io.signal });
    const steps = job?.steps.filter(({ status }) => status === 'QUEUED') ?? [];
    const lines = steps.flatMap(({ number, name, whyNot }) => {
      const reasons = whyNot.map(
        ({ device, explanation }) => `${device === null ? '' : `${cleanName(device.name)}: `}${cleanName(explanation)}`,
      );
      const shown = reasons.length > 0 ? reasons : ['no device has claimed it; is an agent running?'];
      return shown.map((reason) => `-- step ${number} ${cleanName(name)} waits: ${reason}`);
    });
    const text = lines.join('\n');
    if (text === '' || text === this.#explained || this.#history?.status !== 'QUEUED') return;
    this.#explained = text;
    await this.#report('waiting', { steps }, () => text);
  }

  async #report(type: string, entry: object, text: () => string): Promise<void> {
    if (this.#context.isJson) await this.#printLine(type, entry);
    else this.#screen.note(text());
  }

  #printLine(type: string, entry: object): Promise<void> {
    return this.#screen.write(`${toJson({ type, ...entry })}\n`);
  }

  #showProgress(): void {
    if (this.#context.isJson || !this.#screen.hasProgress) return;
    const state = this.#lost.size > 0 ? 'reconnecting' : (this.#history?.status ?? 'connecting');
    const parts = [state, this.#ran(), truncate(this.#step, 30), this.#metricsText(), this.#lines.begun];
    this.#screen.progress(parts.filter((part) => part !== '').join(' · '));
  }

  #metricsText(): string {
    const points = [...this.#newest.values()];
    const iteration = Math.max(...points.map((point) => point.iteration ?? -1));
    const values = points.map((point) => `${cleanName(point.name)} ${formatNumber(point.value)}`).join('  ');
    return iteration < 0 ? values : `${values} (iteration ${iteration})`;
  }

  /** How long it has run. */
  #ran(): string {
    return this.#history === undefined ? '' : formatSpan(this.#history.startedAt, this.#history.finishedAt);
  }
}

const entry = (at: string, rank: number, show: () => Promise<void>): Entry => ({ at: Date.parse(at), rank, isEnd: false, show });

function because(change: { readonly reason: string; readonly description: string; readonly exitCode: number | null }): string {
  const exit = change.exitCode === null ? '' : `, exit code ${change.exitCode}`;
  return `${change.reason}${exit}${change.description === '' ? '' : `: ${cleanName(change.description)}`}`;
}

function metricLine(points: readonly MetricPointFieldsFragment[]): string {
  const values = points.map((point) => `${cleanName(point.name)} ${formatNumber(point.value)}`).join('  ');
  const iteration = points[0]?.iteration ?? null;
  return iteration === null ? `-- ${values}` : `-- iteration ${iteration}: ${values}`;
}

function codeOf(status: JobStatus | undefined): number {
  if (status === 'SUCCEEDED') return exitCodes.succeeded;
  if (status === 'CANCELLED') return exitCodes.cancelled;
  return exitCodes.failed;
}
