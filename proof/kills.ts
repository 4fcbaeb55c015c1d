/** Rounds in which a gateway is killed while clients work: at random moments, while it starts as well, and workers now and then too. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seedRandom } from './random.ts';
import { World, type WorldOptions } from './world.ts';

export interface KillOptions extends WorldOptions {
  readonly rounds: number;
  readonly onRound?: ((round: number, world: World) => void) | undefined;
}

export interface KillsDone {
  readonly world: World;
  readonly kills: number;
  readonly workersKilled: number;
  /** What did not come to its end when it should have. */
  readonly unfinished: readonly string[];
}

/** Runs so many rounds in one world, lets all come to its end, and stops. The caller checks what was noted, and closes the world. */
export async function runKills(options: KillOptions): Promise<KillsDone> {
  const random = seedRandom(`kills ${options.seed}`);
  const world = await World.open(options);
  try {
    const done = { kills: 0, workersKilled: 0 };
    done.kills += await startAgainstKills(world, random);
    await world.makeProject();
    world.startClients('submitter', 1, { open: 20, pauseMs: 40 });
    world.startClients('worker', 3, { slots: 3 });
    world.startClients('subscriber', 2);
    for (let round = 1; round <= options.rounds; round++) {
      await delay(random.between(200, 2_500));
      done.kills += await killOne(world, random);
      if (random.chance(0.2)) done.workersKilled += await killWorker(world, random);
      options.onRound?.(round, world);
    }
    return { world, ...done, unfinished: await world.drain() };
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** The first start, on an empty database: killed a few times before it is through, in its migrations as well. */
async function startAgainstKills({ gateways }: World, random: Random): Promise<number> {
  const [first, ...others] = gateways;
  if (!first) return 0;
  let kills = 0;
  for (; kills < 3; kills++) {
    const { ready } = first.start();
    await Promise.race([delay(random.between(100, 900)), ready.catch(() => {})]);
    await first.kill();
  }
  await first.start().ready;
  for (const gateway of others) await gateway.start().ready;
  return kills;
}

/** Kills one of the gateways, lets it be gone for a while, and starts it; now and then it is killed before it serves. */
async function killOne({ gateways }: World, random: Random): Promise<number> {
  const victim = gateways[random.whole(0, gateways.length - 1)];
  if (!victim) return 0;
  await victim.kill();
  let kills = 1;
  if (random.chance(0.3)) await delay(random.between(0, 1_500));
  if (random.chance(0.15)) {
    const { ready } = victim.start();
    await Promise.race([delay(random.between(200, 900)), ready.catch(() => {})]);
    await victim.kill();
    kills++;
  }
  await victim.start().ready;
  return kills;
}

/** A machine goes, another comes. */
async function killWorker(world: World, random: Random): Promise<number> {
  const workers = world.clients.filter(({ kind }) => kind === 'worker');
  const victim = workers[random.whole(0, workers.length - 1)];
  if (!victim) return 0;
  await world.killClient(victim);
  world.startClients('worker', 1, { slots: 3 });
  return 1;
}
