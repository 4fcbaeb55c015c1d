/**
 * sockets: what a subscribed socket takes while nothing happens, next to graphql-ws with
 * createPubSub: the heap that it adds, and the processor time of all of them in a second.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { prepareStream, SUBSCRIBERS, subscriptionOf } from './fan-out.ts';
import { startGateway } from './gateway.ts';
import { ask, probeFlags } from './probe.ts';
import { type Server, startServer } from './processes.ts';
import { openSubscribers, type Subscription } from './subscribers.ts';

/** Long enough for pings and safety polls. */
const REST_MS = 30_000;
/** The first moments after the start belong to no socket. */
const SETTLE_MS = 3_000;

interface Idle {
  readonly name: string;
  readonly heapBytes: number;
  readonly cpuMs: number;
}

export async function benchSockets(): Promise<string> {
  const gateway = await startGateway({ nodeFlags: probeFlags, isAsked: true });
  const { subscription } = await prepareStream(gateway);
  const ours = await measure('Trainyard', gateway.server, subscription);
  await gateway.stop();
  const pubsub = await startServer('bench/peers/pubsub.js', [], { nodeFlags: probeFlags, isAsked: true });
  const theirs = await measure('graphql-ws + createPubSub', pubsub, () => subscriptionOf('job_1'));
  await pubsub.stop();
  const line = ({ name, heapBytes, cpuMs }: Idle) =>
    `  ${name.padEnd(26)} ${(heapBytes / 1_000).toFixed(1).padStart(6)} kB of heap each, ${cpuMs.toFixed(1).padStart(6)} ms of CPU a second for all`;
  return [
    `${SUBSCRIBERS.toLocaleString('en')} idle sockets, each with a subscription`,
    line(ours),
    line(theirs),
    `  → heap ${(ours.heapBytes / theirs.heapBytes).toFixed(2)} × (goal: below 0.5), CPU ${(ours.cpuMs / theirs.cpuMs).toFixed(2)} × (goal: at most 1)`,
  ].join('\n');
}

async function measure(name: string, server: Server, of: (i: number) => Subscription): Promise<Idle> {
  await wait(SETTLE_MS);
  const before = await ask(server, 'heap');
  const usual = await cpuOf(server);
  const subscribers = await openSubscribers(server.port, SUBSCRIBERS, of, () => {});
  await wait(SETTLE_MS);
  const heapBytes = ((await ask(server, 'heap')) - before) / SUBSCRIBERS;
  const cpuMs = (await cpuOf(server)) - usual;
  for (const subscriber of subscribers) subscriber.close();
  return { name, heapBytes, cpuMs };
}

/** Milliseconds a second. */
async function cpuOf(server: Server): Promise<number> {
  const before = await ask(server, 'cpu');
  await wait(REST_MS);
  return ((await ask(server, 'cpu')) - before) / REST_MS;
}
