/**
 * Follows a job to its end: its status, steps, log and metrics, each a resumable stream. The log goes to stdout; what happens
 * around it goes to stderr, so that a pipe gets the log alone. With JSON, every entry is a line of stdout.
 */
import {
  EventsDocument,
  type EventsSubscription,
  JobNameDocument,
  type JobStatus,
  JobStatusDocument,
  type JobStatusSubscription,
  LogDocument,
  type MetricPointFieldsFragment,
  MetricsDocument,
} from '../client/generated.ts';
import { type SubscribeOptions, subscribe } from '../client/subscribe.ts';
import type { Context } from './command.ts';
import type { FlagSet } from './flags.ts';
import { formatNumber, formatSpan } from './format.ts';
import { BrokenPipe, exitCodes, UsageError } from './io.ts';
import { LogLines } from './loglines.ts';
import { Screen } from './screen.ts';
import { cleanName, truncate } from './terminal.ts';

type StatusFrame = JobStatusSubscription['jobStatus'];
type Event = EventsSubscription['events']['events'][number];

export const followFlags: FlagSet = {
  'patience-seconds': { value: 'N', description: 'how long to go on without a connection', defaultText: '300' },
};

/** Follows until the job is terminal; the exit code tells how it ended, or 130 after Ctrl-C. */
export async function followJob(context: Context, jobId: string): Promise<number> {
  const { io, client, target } = context;
  const { job } = await client.request(JobNameDocument, { id: jobId }, { signal: io.signal });
  if (job === null) throw new UsageError(`There is no job ${cleanName(jobId)}, or the key may not see it.`);
  const follower = new Follower(context, job.name);
  const over = new AbortController();
  const giveUpAfterSeconds = context.given.number('patience-seconds') ?? 300;
  const watched = () => ({ signal: AbortSignal.any([io.signal, over.signal]), giveUpAfterSeconds, onState: follower.watchConnection() });
  const filter = { jobId, types: ['STEP_STATUS_CHANGED', 'STEPS_ADDED', 'FRAGMENT_READY'] as const };
  try {
    // All four end with the job: each says ENDED once everything of it is delivered.
    await Promise.all([
      each(subscribe(target, JobStatusDocument, { jobId }, watched()), (frame) => follower.showStatus(frame)),
      each(subscribe(target, EventsDocument, { filter }, watched()), async (frame) => {
        for (const event of frame.events) await follower.showEvent(event);
      }),
      each(subscribe(target, LogDocument, { jobId }, watched()), async (frame) => {
        if (frame.missed > 0) follower.note(`-- ${frame.missed} entries of the log are past retention --`);
        for (const chunk of frame.chunks) await follower.showLog(chunk);
      }),
      each(subscribe(target, MetricsDocument, { jobId }, watched()), (frame) => follower.showMetrics(frame.points)),
    ]);
  } finally {
    over.abort();
    await follower.stop();
  }
  if (io.signal.aborted) {
    if (io.signal.reason instanceof BrokenPipe) return exitCodes.brokenPipe;
    follower.note(`The job goes on. To cancel it: trainyard cancel ${jobId}\nTo follow it again: trainyard watch ${jobId}`);
    return exitCodes.interrupted;
  }
  return follower.end();
}

async function each<Value>(stream: AsyncIterable<Value>, show: (value: Value) => Promise<void>): Promise<void> {
  for await (const value of stream) await show(value);
}

/** What is known of the job so far, and how it is shown. */
class Follower {
  readonly #context: Context;
  readonly #name: string;
  readonly #screen: Screen;
  readonly #lines: LogLines;
  readonly #newest = new Map<string, MetricPointFieldsFragment>();
  readonly #tick: NodeJS.Timeout | undefined;
  readonly #lost = new Set<symbol>();
  #history: StatusFrame['history'] | undefined;
  #step = '';

  constructor(context: Context, name: string) {
    this.#context = context;
    this.#name = cleanName(name);
    this.#screen = new Screen(context.io);
    this.#lines = new LogLines(context.io.stdout.isTTY === true && !context.io.env.NO_COLOR);
    if (this.#screen.hasProgress && !context.isJson) this.#tick = setInterval(() => this.#showProgress(), 1_000);
  }

  async showStatus(frame: StatusFrame): Promise<void> {
    for (const transition of frame.transitions)
      await this.#tell('status', transition, () => `== job ${transition.to} (${because(transition)})`);
    this.#history = frame.history;
    this.#showProgress();
  }

  async showEvent(event: Event): Promise<void> {
    if (event.__typename === 'StepStatusChangedEvent') {
      const { number, name } = event.step;
      this.#step = `step ${number} ${cleanName(name)}`;
      await this.#tell('step', event, () => `== step ${number} ${cleanName(name)} ${event.stepTo} (${because(event)})`);
    } else if (event.__typename === 'FragmentReadyEvent') {
      const { id, filename, type } = event.fragment;
      await this.#tell('fragment', event, () => `== fragment ${cleanName(filename)} (${type}) ${id}`);
    } else if (event.__typename === 'StepsAddedEvent') {
      await this.#tell('steps', event, () => `== ${event.steps.length} steps added`);
    }
    this.#showProgress();
  }

  async showLog(chunk: Parameters<LogLines['take']>[0]): Promise<void> {
    if (this.#context.isJson) await this.#printLine('log', chunk);
    else await this.#screen.write(this.#lines.take(chunk));
  }

  async showMetrics(points: readonly MetricPointFieldsFragment[]): Promise<void> {
    for (const point of points) this.#newest.set(point.name, point);
    if (this.#context.isJson) {
      for (const point of points) await this.#printLine('metric', point);
    } else if (this.#screen.hasProgress) {
      this.#showProgress();
    } else {
      for (const line of metricLines(points)) this.#screen.note(line);
    }
  }

  /** Tells of lost and found connections, once for all the streams together. */
  watchConnection(): NonNullable<SubscribeOptions['onState']> {
    const stream = Symbol('stream');
    return (state, reason) => {
      const before = this.#lost.size;
      if (state === 'reconnecting') this.#lost.add(stream);
      else this.#lost.delete(stream);
      if (before === 0 && this.#lost.size === 1) {
        void this.#tell(
          'connection',
          { state: 'reconnecting', reason },
          () => `-- connection lost (${cleanName(reason ?? '')}), reconnecting --`,
        );
      } else if (before === 1 && this.#lost.size === 0) {
        void this.#tell('connection', { state: 'live' }, () => '-- connected again, nothing was missed --');
      }
    };
  }

  note(text: string): void {
    this.#screen.note(text);
  }

  async stop(): Promise<void> {
    clearInterval(this.#tick);
    this.#screen.progress('');
    await this.#screen.write(this.#lines.flush());
  }

  async end(): Promise<number> {
    const status = this.#history?.status;
    const exitCode = codeOf(status);
    const [metrics, ran] = [this.#metricsText(), this.#ran()];
    const text = `== ${this.#name} ${status}${ran === '' ? '' : ` after ${ran}`}${metrics === '' ? '' : `: ${metrics}`}`;
    await this.#tell('outcome', { status, exitCode }, () => text);
    return exitCode;
  }

  async #tell(type: string, entry: object, text: () => string): Promise<void> {
    if (this.#context.isJson) await this.#printLine(type, entry);
    else this.#screen.note(text());
  }

  #printLine(type: string, entry: object): Promise<void> {
    return this.#screen.write(`${JSON.stringify({ type, ...entry })}\n`);
  }

  #showProgress(): void {
    if (this.#context.isJson) return;
    const state = this.#lost.size > 0 ? 'reconnecting' : (this.#history?.status ?? 'connecting');
    this.#screen.progress([state, this.#ran(), truncate(this.#step, 30), this.#metricsText()].filter((part) => part !== '').join(' · '));
  }

  #metricsText(): string {
    const points = [...this.#newest.values()];
    const iteration = Math.max(...points.map((point) => point.iteration ?? -1));
    const values = points.map((point) => `${cleanName(point.name)} ${formatNumber(point.value)}`).join('  ');
    return iteration < 0 ? values : `${values} (iteration ${iteration})`;
  }

  /** For how long it has run, or ran. */
  #ran(): string {
    return this.#history === undefined ? '' : formatSpan(this.#history.startedAt, this.#history.finishedAt);
  }
}

function because(change: { readonly reason: string; readonly description: string; readonly exitCode: number | null }): string {
  const exit = change.exitCode === null ? '' : `, exit code ${change.exitCode}`;
  return `${change.reason}${exit}${change.description === '' ? '' : `: ${cleanName(change.description)}`}`;
}

/** A line for each iteration, with all that was reported of it. */
function metricLines(points: readonly MetricPointFieldsFragment[]): string[] {
  const groups = Map.groupBy(points, (point) => `${point.stepNumber}/${point.attempt}/${point.iteration}`);
  return [...groups.values()].map((group) => {
    const values = group.map((point) => `${cleanName(point.name)} ${formatNumber(point.value)}`).join('  ');
    const iteration = group[0]?.iteration ?? null;
    return iteration === null ? `-- ${values}` : `-- iteration ${iteration}: ${values}`;
  });
}

function codeOf(status: JobStatus | undefined): number {
  if (status === 'SUCCEEDED') return exitCodes.succeeded;
  if (status === 'CANCELLED') return exitCodes.cancelled;
  return exitCodes.failed;
}
