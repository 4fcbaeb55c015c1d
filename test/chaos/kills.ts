/**
 * Rounds in which a gateway is killed while clients work: at random moments, also during its start.
 * Sometimes a worker is killed, too.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/client/errors.ts';
import type { GatewayProcess } from './gateway.ts';
import { readNotes } from './notes.ts';
import { type Random, seedRandom } from './random.ts';
import { World, type WorldOptions } from './world.ts';

/** Even if little was done by then, the run goes on: the checker reads what there is. */
const ANSWERS_WITHIN_MS = 180_000;

/**
 * Sometimes a gateway lives long enough for leases to run out, and for rows without a wake-up to be
 * late.
 */
const LONG_LIFE_MS = 7_000;

/** The number of clients of each kind, and their options. */
interface Crew {
  readonly count: number;
  readonly options?: Readonly<Record<string, string | number>>;
}

export interface KillOptions extends WorldOptions {
  readonly rounds: number;
  /** How often the first start is killed, also during migrations. Default: 3. */
  readonly startKills?: number | undefined;
  /** How long a round lets the gateway live, in milliseconds: from, to. Default: 200, 2,500. */
  readonly lives?: readonly [from: number, to: number] | undefined;
  /**
   * Continues after the last round until clients have noted this many answers, which takes longer
   * on a busy machine.
   */
  readonly answers?: number | undefined;
  /** How long everything may take to end after the last round. Default: three minutes. */
  readonly drainMs?: number | undefined;
  readonly crews?: Partial<Readonly<Record<'submitter' | 'worker' | 'subscriber', Crew>>> | undefined;
  readonly onRound?: ((round: number) => void) | undefined;
}

export interface KillsDone {
  readonly world: World;
  readonly kills: number;
  readonly workersKilled: number;
  /** What did not end in time, or did not start. */
  readonly unfinished: readonly string[];
}

const usualCrews: Required<NonNullable<KillOptions['crews']>> = {
  submitter: { count: 1, options: { open: 20, pauseMs: 40 } },
  worker: { count: 3, options: { slots: 3 } },
  subscriber: { count: 2 },
};

/**
 * Runs the rounds in one world, lets everything end, and stops. Afterwards the notes are ready for
 * the checker.
 */
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

/** Kills a gateway, waits, and starts it. Sometimes it is killed again before it serves. */
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

/** A start takes about half a second on an idle machine. */
async function startAndKill(gateway: GatewayProcess, random: Random): Promise<void> {
  const { ready } = gateway.start();
  await Promise.race([delay(random.between(100, 900)), ready.catch(() => {})]);
  await gateway.kill();
}

/** Kills a worker and starts another. */
async function replaceWorker(world: World, random: Random, options: Crew['options']): Promise<number> {
  const workers = world.clients.filter(({ kind }) => kind === 'worker');
  const eviction = workers[random.whole(0, workers.length - 1)];
  if (!eviction) return 0;
  await world.killClient(eviction);
  world.startClients('worker', 1, options);
  return 1;
}
