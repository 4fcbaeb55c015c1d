/**
 * fan-out: one stream, thousands of subscribers. The next message is published when all have the
 * last.
 *
 * The gateway receives a step's report through the API and stores it on disk before anyone hears of
 * it. The peers receive the bytes of one of the gateway's frames and only pass them on.
 */
import type { Gateway } from './gateway.ts';
import { HttpConnection, requestOf } from './http-load.ts';
import { createJobs, createProject } from './jobs.ts';
import { type Server, startServer } from './processes.ts';
import type { Report } from './report.ts';
import { type Contestant, type Plan, takeTurns } from './rounds.ts';
import { openSubscribers, type Subscriber, type Subscription } from './subscribers.ts';

export const SUBSCRIBERS = 2_000;
const FAN_OUT = `fan-out to ${SUBSCRIBERS.toLocaleString('en')}`;
/** A key may have 200 open sockets. */
const SUBSCRIBERS_PER_KEY = 190;
/** A publication that has not reached every subscriber by then is lost. */
const LOST_AFTER_MS = 10_000;

const METRICS = `
  subscription Metrics($jobId: ID!) {
    metrics(jobId: $jobId) { cursor state missed points { name value iteration at stepNumber attempt } }
  }`;

export async function benchFanOut(gateway: Gateway, plan: Plan): Promise<Report> {
  const ours = await oursOf(gateway);
  const frame = await ours.firstFrame();
  const raw = await startServer('bench/peers/broadcast.js', []);
  const pubsub = await startServer('bench/peers/pubsub.js', []);
  const jobId = 'job_1';
  const audiences = [
    ours.audience,
    await gather(
      'raw ws broadcast',
      raw,
      () => ({}),
      () => requestOf({ text: frame }, { path: '/publish' }),
    ),
    await gather(
      'graphql-ws + createPubSub',
      pubsub,
      () => subscriptionOf(jobId),
      () => requestOf({ jobId, frame: JSON.parse(frame).payload.data.metrics }, { path: '/publish' }),
    ),
  ];
  const figures = await takeTurns(audiences, plan);
  for (const audience of audiences) audience.leave();
  await raw.stop();
  await pubsub.stop();
  const [mine, broadcast, stock] = figures;
  if (!mine || !broadcast || !stock) throw new Error('Expected the figures of three contestants.');
  return {
    bench: FAN_OUT,
    unit: 'frames/s',
    figures,
    comparisons: [
      { ours: mine, peer: broadcast, goal: 0.9 },
      { ours: mine, peer: stock, goal: 4 },
    ],
    notes: audiences.map(
      ({ name, delayMs }) => `${name.padEnd(26)}delay from publishing to delivery: p50 ${delayMs(0.5)} ms, p99 ${delayMs(0.99)} ms`,
    ),
  };
}

/** Against another checkout. */
export async function benchFanOutAgainst(ours: Gateway, other: Gateway, plan: Plan): Promise<Report> {
  const mine = await oursOf(ours);
  const theirs = await oursOf(other);
  const audiences = [mine.audience, { ...theirs.audience, name: 'other checkout' }];
  const figures = await takeTurns(audiences, plan);
  for (const audience of audiences) audience.leave();
  const [first, second] = figures;
  if (!first || !second) throw new Error('Expected the figures of two contestants.');
  return { bench: FAN_OUT, unit: 'frames/s', figures, comparisons: [{ ours: first, peer: second, goal: 0.95 }] };
}

/** Of a job that a peer knows. */
export const subscriptionOf = (jobId: string): Subscription => ({ subscribe: { query: METRICS, variables: { jobId } } });

/** A running step of the gateway, with subscribers to its metrics. */
async function oursOf(gateway: Gateway) {
  const { subscription, publish } = await prepareStream(gateway);
  const audience = await gather('Trainyard', gateway.server, subscription, publish);
  return { audience, firstFrame: () => audience.publish() };
}

/** A running step, with what subscribes to its metrics and what reports one. */
export async function prepareStream(gateway: Gateway): Promise<{ subscription(i: number): Subscription; publish(): Buffer }> {
  const [jobId = ''] = await createJobs(gateway, await createProject(gateway), 1, 1);
  const { claimStep } = await gateway.ask<{ claimStep: { lease: { token: string } } }>(
    `mutation Claim($input: ClaimStepInput!) { claimStep(input: $input) { ... on ClaimStepPayload { lease { token } } ... on Error { message } } }`,
    { input: { jobId, stepNumber: 0, leaseSeconds: 3_600 } },
  );
  const keys: string[] = [];
  for (let i = 0; i * SUBSCRIBERS_PER_KEY < SUBSCRIBERS; i++) keys.push(await watchKey(gateway, jobId));
  const query = `mutation Report($input: ReportMetricsInput!) { reportMetrics(input: $input) { ... on ReportMetricsPayload { accepted } ... on Error { message } } }`;
  let iteration = 0;
  const publish = () => {
    const metrics = [{ name: 'loss', value: 1 / ++iteration, iteration }];
    return requestOf({ query, variables: { input: { leaseToken: claimStep.lease.token, metrics } } }, { key: gateway.key });
  };
  const subscription = (i: number): Subscription => ({
    init: { authorization: `Bearer ${keys[Math.floor(i / SUBSCRIBERS_PER_KEY)]}` },
    subscribe: { query: METRICS, variables: { jobId } },
    beginsWithFrame: true,
  });
  return { subscription, publish };
}

async function watchKey({ ask }: Gateway, jobId: string): Promise<string> {
  const { createApiKey } = await ask<{ createApiKey: { secret: string } }>(
    `mutation Key($input: CreateApiKeyInput!) { createApiKey(input: $input) { ... on CreateApiKeyPayload { secret } ... on Error { message } } }`,
    { input: { name: 'subscribers', kind: 'WATCH', jobId } },
  );
  return createApiKey.secret;
}

interface Audience extends Contestant {
  /** Publishes once. Resolves to the text of a frame when every subscriber has it. */
  publish(): Promise<string>;
  /** The delay that this share of deliveries did not exceed. */
  delayMs(share: number): string;
  leave(): void;
}

/** Opens all subscriptions. Each turn publishes once and waits until every subscriber has it. */
async function gather(name: string, server: Server, of: (i: number) => Subscription, request: () => Buffer): Promise<Audience> {
  const delays: number[] = [];
  let publishedAt = 0;
  let missing = 0;
  let isWarm = false;
  let all = (_text: string) => {};
  const onDelivery = (text: () => string) => {
    delays.push(performance.now() - publishedAt);
    missing -= 1;
    if (missing === 0) all(text());
  };
  const subscribers: Subscriber[] = await openSubscribers(server.port, SUBSCRIBERS, of, onDelivery);
  const connection = await HttpConnection.open(server.port);
  const publish = async () => {
    missing = SUBSCRIBERS;
    let timer: NodeJS.Timeout | undefined;
    const delivered = new Promise<string>((resolve, reject) => {
      all = resolve;
      timer = setTimeout(() => reject(new Error(`${name}: ${missing} of ${SUBSCRIBERS} deliveries did not arrive.`)), LOST_AFTER_MS);
    });
    publishedAt = performance.now();
    const [text] = await Promise.all([delivered, connection.ask(request())]);
    clearTimeout(timer);
    return text;
  };
  return {
    name,
    server,
    publish,
    async run(ms) {
      const start = performance.now();
      let count = 0;
      for (; performance.now() < start + ms; count += SUBSCRIBERS) await publish();
      if (!isWarm) delays.length = 0;
      isWarm = true;
      return { count, seconds: (performance.now() - start) / 1_000 };
    },
    delayMs(share) {
      const sorted = Float64Array.from(delays).sort();
      return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1);
    },
    leave() {
      for (const subscriber of subscribers) subscriber.close();
      connection.close();
    },
  };
}
