import {
  EventsDocument,
  type EventsSubscription,
  JobDocument,
  LogDocument,
  MetricsDocument,
  type MetricsSubscription,
} from '../../src/client/generated.ts';
import { subscribe } from '../../src/client/node/subscribe.ts';
import type { Requester } from '../../src/client/request.ts';
import type { SubscribeOptions } from '../../src/client/subscription.ts';
import { sparkline } from './plot.ts';

/** A restarted gateway is back much sooner. */
const giveUpAfterSeconds = 120;

/** The local agent claims a step within milliseconds: after this long, something is wrong. */
const explainAfterMs = 10_000;

/** The reported values by name and iteration. For a retried step, those of the newest attempt. */
export type Curves = Map<string, Map<number, number>>;

type Print = (line: string) => void;
type StepNames = ReadonlyMap<number, string>;
type MetricPoint = MetricsSubscription['metrics']['points'][number];
type JobEvent = EventsSubscription['events']['events'][number];

/**
 * Prints the events, log and metrics of a job live, until the job has ended or the signal is
 * aborted. Each is a stream that resumes after a lost connection.
 * @throws GatewayUnreachable when the gateway is away for two minutes.
 */
export async function followJob(client: Requester, jobId: string, print: Print, signal: AbortSignal): Promise<Curves> {
  const { job } = await client.request(JobDocument, { id: jobId }, { signal });
  const names = new Map(job?.steps.map((step) => [step.number, step.name]));
  // A failed stream stops the others, whose reconnecting would otherwise never end.
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const follow = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    try {
      return await run();
    } catch (error) {
      failed.abort();
      throw error;
    }
  };
  const [curves] = await Promise.all([
    follow(() => followMetrics(client, jobId, names, print, either)),
    follow(() => followLog(client, jobId, names, print, either)),
    follow(() => followEvents(client, jobId, print, either)),
  ]);
  return curves;
}

async function followEvents(client: Requester, jobId: string, print: Print, signal: AbortSignal): Promise<void> {
  const explain = setTimeout(() => void explainWaiting(client, jobId, print).catch(() => {}), explainAfterMs);
  const options: SubscribeOptions = {
    signal,
    giveUpAfterSeconds,
    onState: announceLosses(print),
  };
  try {
    for await (const { events } of subscribe(client.target, EventsDocument, { filter: { jobId } }, options)) {
      for (const event of events) {
        const line = describeEvent(event);
        if (line !== null) print(line);
        if (event.__typename === 'StepStatusChangedEvent' && event.stepTo === 'RUNNING') clearTimeout(explain);
      }
      if (events.some(endsJob)) return;
    }
  } finally {
    clearTimeout(explain);
  }
}

function endsJob(event: JobEvent): boolean {
  return event.__typename === 'JobStatusChangedEvent' && ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(event.jobTo);
}

function describeEvent(event: JobEvent): string | null {
  switch (event.__typename) {
    case 'JobStatusChangedEvent':
      return `● job ${event.jobTo}  ${event.description}`.trimEnd();
    case 'StepStatusChangedEvent': {
      const exit = event.exitCode === null ? '' : ` (exit code ${event.exitCode})`;
      return `● step ${event.step.number} ${event.step.name} ${event.stepTo}${exit}  ${event.description}`.trimEnd();
    }
    case 'FragmentReadyEvent':
      return `■ fragment ${event.fragment.filename} (${event.fragment.type}, ${event.fragment.sizeBytes} bytes)`;
    default:
      return null;
  }
}

/** Prints when the connection is lost and when it is back. */
function announceLosses(print: Print): NonNullable<SubscribeOptions['onState']> {
  let isLost = false;
  return (state, reason) => {
    if (state === 'reconnecting') print(`○ connection lost (${reason}); trying again`);
    if (state === 'live' && isLost) print('○ connected again');
    isLost = state === 'reconnecting';
  };
}

async function explainWaiting(client: Requester, jobId: string, print: Print): Promise<void> {
  const { job } = await client.request(JobDocument, { id: jobId });
  for (const step of job?.steps ?? []) {
    if (step.status !== 'QUEUED') continue;
    if (step.whyNot.length === 0) print(`○ step ${step.number} ${step.name} waits: no device has claimed it; is an agent running?`);
    for (const unmet of step.whyNot) {
      print(`○ step ${step.number} ${step.name} waits${unmet.device === null ? '' : ` for ${unmet.device.name}`}: ${unmet.explanation}`);
    }
  }
}

async function followLog(client: Requester, jobId: string, names: StepNames, print: Print, signal: AbortSignal): Promise<void> {
  const unfinished = new Map<string, string>();
  for await (const { chunks } of subscribe(client.target, LogDocument, { jobId }, { signal, giveUpAfterSeconds })) {
    for (const { stepNumber, attempt, stream, text } of chunks) {
      // A chunk may end within a line, so each attempt's streams are joined separately.
      const source = `${stepNumber}/${attempt}/${stream}`;
      const lines = `${unfinished.get(source) ?? ''}${text}`.split('\n');
      unfinished.set(source, lines.pop() ?? '');
      for (const line of lines) print(`  ${names.get(stepNumber) ?? stepNumber} │ ${line}`);
    }
  }
  for (const [source, rest] of unfinished) {
    const stepNumber = Number.parseInt(source, 10);
    if (rest !== '') print(`  ${names.get(stepNumber) ?? stepNumber} │ ${rest}`);
  }
}

async function followMetrics(client: Requester, jobId: string, names: StepNames, print: Print, signal: AbortSignal): Promise<Curves> {
  const curves: Curves = new Map();
  for await (const { points } of subscribe(client.target, MetricsDocument, { jobId }, { signal, giveUpAfterSeconds })) {
    for (const together of Map.groupBy(points, (point) => `${point.stepNumber}/${point.attempt}/${point.iteration}`).values()) {
      for (const { name, value, iteration } of together) {
        if (iteration !== null) curves.set(name, (curves.get(name) ?? new Map()).set(iteration, value));
      }
      print(describePoints(together, names, curves));
    }
  }
  return curves;
}

/** The values that a step reported together, and its accuracy so far. */
function describePoints(points: readonly MetricPoint[], names: StepNames, curves: Curves): string {
  const [first] = points;
  const values = points.map((point) => `${point.name} ${Number(point.value.toFixed(4))}`).join('  ');
  // The iteration of a single value is 0; epochs count from 1.
  const epoch = first?.iteration ? ` epoch ${first.iteration}` : '';
  const curve = points.some((point) => point.name === 'accuracy') ? `  ${sparkline([...(curves.get('accuracy')?.values() ?? [])])}` : '';
  return `▲ ${names.get(first?.stepNumber ?? -1) ?? 'step'}${epoch}  ${values}${curve}`;
}
