/** Rounds in which a gateway is killed while clients work: at random moments, while it starts as well, and workers now and then too. */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/client/errors.ts';
import type { GatewayProcess } from './gateway.ts';
import { readNotes } from './notes.ts';
import { type Random, seedRandom } from './random.ts';
import { World, type WorldOptions } from './world.ts';

/** However little work was done by then, it goes on: the checker finds in that what there is. */
const ANSWERS_WITHIN_MS = 180_000;

/** Now and then a gateway lives long enough for leases to run out while it is there, and for rows to be late that nobody was woken for. */
const LONG_LIFE_MS = 7_000;

/** How many clients of a kind, and with which options of theirs. */
interface Crew {
  readonly count: number;
  readonly options?: Readonly<Record<string, string | number>>;
}

export interface KillOptions extends WorldOptions {
  readonly rounds: number;
  /** How often the very first start is killed, in the migrations as well. Default: 3. */
  readonly startKills?: number | undefined;
  /** For how long a round lets the gateway live, in milliseconds: from, to. Default: 200, 2,500. */
  readonly lives?: readonly [from: number, to: number] | undefined;
  /** Goes on after the last round until clients have noted so many answers: on a machine that is busy with other things that takes longer. */
  readonly answers?: number | undefined;
  /** How long what there is has to come to its end, after the last round. Default: three minutes. */
  readonly drainMs?: number | undefined;
  readonly crews?: Partial<Readonly<Record<'submitter' | 'worker' | 'subscriber', Crew>>> | undefined;
  readonly onRound?: ((round: number) => void) | undefined;
}

export interface KillsDone {
  readonly world: World;
  readonly kills: number;
  readonly workersKilled: number;
  /** What did not come to its end when it should have, or would not start. */
  readonly unfinished: readonly string[];
}

const usualCrews: Required<NonNullable<KillOptions['crews']>> = {
  submitter: { count: 1, options: { open: 20, pauseMs: 40 } },
  worker: { count: 3, options: { slots: 3 } },
  subscriber: { count: 2 },
};

/** Runs so many rounds in one world, lets all come to its end, and stops. What was noted is for the checker; everything has ended. */
export async function runKills(options: KillOptions): Promise<KillsDone> {
  const random = seedRandom(`kills ${options.seed}`);
  const { rounds, startKills = 3, lives = [200, 2_500], answers = 0, drainMs, onRound } = options;
  const crews = { ...usualCrews, ...options.crews };
  const world = await World.open(options);
  const done = { kills: 0, workersKilled: 0 };
  try {
    done.kills += await startAgainstKills(world, random, startKills);
    await world.makeProject();
    for (const kind of ['submitter', 'worker', 'subscriber'] as const) world.startClients(kind, crews[kind].count, crews[kind].options);
    for (let round = 1; round <= rounds; round++) {
      await delay(random.between(...lives) + (random.chance(0.08) ? LONG_LIFE_MS : 0));
      done.kills += await killOne(world, random);
      if (random.chance(0.2)) done.workersKilled += await replaceWorker(world, random, crews.worker.options);
      onRound?.(round);
    }
    await delay(lives[1]);
    await untilAnswered(world, answers);
    return { world, ...done, unfinished: await world.drain(drainMs) };
  } catch (error) {
    return { world, ...done, unfinished: [messageOf(error)] };
  } finally {
    await world.close();
  }
}

async function untilAnswered({ notesDir }: World, answers: number): Promise<void> {
  const until = performance.now() + ANSWERS_WITHIN_MS;
  while (performance.now() < until && readNotes(notesDir).filter(({ kind }) => kind === 'answered').length < answers) await delay(500);
}

/** The first start, on an empty database. */
async function startAgainstKills({ gateways }: World, random: Random, times: number): Promise<number> {
  const [first, ...others] = gateways;
  if (!first) return 0;
  for (let i = 0; i < times; i++) await startAndKill(first, random);
  await first.start().ready;
  for (const gateway of others) await gateway.start().ready;
  return times;
}

/** Kills one of the gateways, lets it be gone for a while, and starts it; now and then it is killed before it serves. */
async function killOne({ gateways }: World, random: Random): Promise<number> {
  const eviction = gateways[random.whole(0, gateways.length - 1)];
  if (!eviction) return 0;
  await eviction.kill();
  let kills = 1;
  if (random.chance(0.3)) await delay(random.between(0, 1_500));
  if (random.chance(0.15)) {
    await startAndKill(eviction, random);
    kills++;
  }
  await eviction.start().ready;
  return kills;
}

/** Its start takes about half a second on a machine that has nothing else to do. */
async function startAndKill(gateway: GatewayProcess, random: Random): Promise<void> {
  const { ready } = gateway.start();
  await Promise.race([delay(random.between(100, 900)), ready.catch(() => {})]);
  await gateway.kill();
}

/** A machine goes, another comes. */
async function replaceWorker(world: World, random: Random, options: Crew['options']): Promise<number> {
  const workers = world.clients.filter(({ kind }) => kind === 'worker');
  const eviction = workers[random.whole(0, workers.length - 1)];
  if (!eviction) return 0;
  await world.killClient(eviction);
  world.startClients('worker', 1, options);
  return 1;
}
