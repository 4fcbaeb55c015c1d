/** The power fails: only synced data is left, and a gateway starts on it. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { DiskFiles } from '../../src/store/files/disk.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { createFolder } from '../support/folders.ts';
import { type GatewayOptions, startGateway } from '../support/gateway.ts';
import { pickNumber, seedRandom } from '../support/random.ts';
import { altered, synchronousNormal, trustedWal, unsyncedFolders } from './nemesis/alterations.ts';
import { Disk } from './nemesis/disk.ts';
import { type Answered, findLost, startLoad } from './nemesis/load.ts';
import { cutPower, momentsOf } from './nemesis/power-loss.ts';
import { recordInto, tracerIsGone, whyNoStrace } from './nemesis/strace.ts';

const why = whyNoStrace();
if (why) process.stderr.write(`The power losses are left out: ${why}\n`);

const keeper = fileURLToPath(new URL('./nemesis/note-keeper.ts', import.meta.url));
const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

interface Life {
  readonly root: string;
  readonly traces: readonly string[];
  readonly answered: readonly Answered[];
  readonly strange: readonly string[];
  readonly unavailable: number;
}

/**
 * Lets a gateway serve a load, with `kills` kills and restarts in the middle, and records its file
 * changes.
 */
async function live({
  kills,
  answers,
  injections = [],
  ...how
}: { kills: number; answers: number; injections?: readonly string[] } & Pick<
  GatewayOptions,
  'program' | 'nodeFlags' | 'env'
>): Promise<Life> {
  const folder = createFolder('power');
  const root = join(folder, 'data');
  mkdirSync(root);
  const traces: string[] = [];
  const before = () => {
    traces.push(join(folder, `trace-${traces.length}`));
    return recordInto(traces.at(-1) ?? '', { injections });
  };
  const gateway = await startGateway({ database: { folder: root, url: null }, before, ...how, flags: ['--aggregator', 'off'] });
  ending.push(() => gateway.stop());
  const load = await startLoad({ target: { url: gateway.url, token: gateway.adminKey } });
  for (let kill = 0; kill < kills; kill++) {
    await load.more(answers);
    await gateway.restart();
  }
  await load.more(answers);
  await gateway.kill('SIGKILL');
  await load.stop();
  await tracerIsGone(traces.at(-1) ?? '');
  return { root, traces, answered: load.answered, strange: load.strange, unavailable: load.unavailable() };
}

/**
 * Cuts the power at these moments of a life. Returns what was lost of the changes answered by then.
 */
async function lossesAt({ root, traces, answered }: Life, moments: readonly number[], loss: 'all' | number): Promise<string[]> {
  const target = join(createFolder('left'), 'data');
  const disk = new Disk(root, createFolder('nothing'));
  const lost: string[] = [];
  const random = seedRandom(loss);
  const toss = (chance: number) => pickNumber(random, 1_000) < chance * 1_000;
  await cutPower({ traces, root, disk, moments, target, loss: loss === 'all' ? 'all' : toss }, async (moment) => {
    const store = await openSqlite(join(target, 'trainyard.sqlite'));
    try {
      const had = answered.filter(({ at }) => at < moment);
      for (const what of await findLost(store, new DiskFiles(join(target, 'fragments')), had)) lost.push(`At ${moment}: ${what}`);
      const damage = await store.read.db.all<{ integrity_check: string }>('pragma integrity_check');
      if (damage[0]?.integrity_check !== 'ok') lost.push(`At ${moment}: the database is damaged: ${JSON.stringify(damage)}`);
    } finally {
      await store.close();
    }
  });
  return lost;
}

/** Up to `many` moments, evenly spread, and as many of each named kind. */
async function chooseMoments({ traces, root }: Life, many: number, ...kinds: RegExp[]): Promise<number[]> {
  const all = await momentsOf(traces, root);
  const some = (moments: readonly { at: number }[]) =>
    moments.filter((_, i) => i % Math.ceil(moments.length / many) === 0).map(({ at }) => at - 0.001);
  const named = kinds.map((kind) => all.filter(({ what }) => kind.test(what)));
  for (const [i, moments] of named.entries()) expect(moments.length, `moments of ${kinds[i]}`).toBeGreaterThan(0);
  return [...some(all), ...named.flatMap(some), (all.at(-1)?.at ?? 0) + 1].sort((a, b) => a - b);
}

/**
 * A store is killed at the sync of a write, another process reads the data, and then the power
 * fails. Returns what it read that is lost.
 */
async function readAndLost({ nodeFlags, env }: ReturnType<typeof altered>): Promise<string[]> {
  const folder = createFolder('killed');
  const root = join(folder, 'data');
  mkdirSync(root);
  const file = join(root, 'trainyard.sqlite');
  const traces = ['written', 'read'].map((name) => join(folder, name));
  const keep = (trace: string, injections: readonly string[], what: string) => {
    const [program = '', ...args] = [...recordInto(trace, { injections }), process.execPath, ...nodeFlags, keeper, what, file, 'note'];
    return spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  };
  const writing = keep(traces[0] ?? '', ['fsync:signal=SIGKILL:when=40'], 'write');
  await text(writing.stdout);
  await tracerIsGone(traces[0] ?? '');
  const reading = keep(traces[1] ?? '', [], 'read');
  const read: string[] = [];
  for await (const line of createInterface({ input: reading.stdout })) {
    if (line === '.') reading.kill('SIGKILL');
    else read.push(line);
  }
  await tracerIsGone(traces[1] ?? '');
  const target = join(createFolder('left'), 'data');
  let left: string[] = [];
  const moments = [Number.MAX_SAFE_INTEGER];
  await cutPower({ traces, root, disk: new Disk(root, createFolder('nothing')), moments, target, loss: 'all' }, async () => {
    const store = await openSqlite(join(target, 'trainyard.sqlite'));
    left = (await store.read.db.select().from(store.tables.meta)).map(({ key }) => key);
    await store.close();
  });
  return read.filter((key) => !left.includes(key));
}

describe.skipIf(why !== null)('After a power loss', () => {
  test('every answered change is there, whenever the power fails and whatever part of the rest is lost (P1)', {
    timeout: 180_000,
  }, async () => {
    const life = await live({ kills: 1, answers: 250 });
    expect(life.strange).toEqual([]);
    // During checkpoints, and around the renames of files.
    const moments = await chooseMoments(life, 6, /^write trainyard\.sqlite$/, /^rename /);
    expect(await lossesAt(life, moments, 'all')).toEqual([]);
    expect(await lossesAt(life, moments, 1)).toEqual([]);
  });

  test('every answered change is there even if syncs failed before and their data is lost (P1)', {
    timeout: 180_000,
  }, async () => {
    const life = await live({ kills: 1, answers: 120, injections: ['fsync:error=EIO:when=30+9'] });
    expect(life.strange).toEqual([]);
    expect(life.unavailable).toBeGreaterThan(0);
    expect(await lossesAt(life, await chooseMoments(life, 8, /^sync ends trainyard\.sqlite-wal$/), 'all')).toEqual([]);
  });

  test('control: with synchronous=NORMAL answered changes are lost, and the test notices', { timeout: 120_000 }, async () => {
    const life = await live({ kills: 0, answers: 60, ...altered(synchronousNormal) });
    const moments = await chooseMoments(life, 4, /^write trainyard\.sqlite-wal$/);
    expect((await lossesAt(life, moments, 'all')).join('\n')).toMatch(/was created/);
  });

  test('control: without the sync of its folder an accepted file is lost, and the test notices', { timeout: 120_000 }, async () => {
    const life = await live({ kills: 0, answers: 60, ...altered(unsyncedFolders) });
    const moments = await chooseMoments(life, 4, /^rename/);
    const lost = await lossesAt(life, moments, 'all');
    expect(lost.join('\n')).toMatch(/The bytes of frag_\w+ were taken/);
    expect(lost.filter((what) => !what.includes('The bytes of'))).toEqual([]);
  });

  test('data that a start finds is made durable before it is read, even if the former process was killed before its sync (P1)', async () => {
    expect(await readAndLost(altered())).toEqual([]);
    expect(await readAndLost(altered(trustedWal))).toHaveLength(1);
  });
});
