/**
 * size: what each query, mutation and timer costs on a store of a million jobs, next to one of
 * 10,000, and how long it holds the event loop.
 *
 * Both gateways run at the same time and take turns. Times are processor time, all threads
 * together; the hold is the processor time of the main thread in one turn of its event loop.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { startGateway } from '../gateway.ts';
import { HttpConnection } from '../http-load.ts';
import { ask, probeFlags } from '../probe.ts';
import { type Case, cases, type Side } from './cases.ts';
import { filledStore } from './fill.ts';

/** The size that all others are compared with. */
const SMALL = 10_000;
const sizes: Readonly<Record<string, number>> = { '100k': 100_000, '300k': 300_000, '1m': 1_000_000 };

const ROUNDS = 9;
/** A round of calls takes about as long, but at least one call. */
const ROUND_MS = 25;
const MOST_CALLS = 40;
/** Calls that are watched for holds. */
const HOLDS = 7;
/** Calls that take long are made less often: what a case may take, in processor time. */
const CASE_MS = 3_000;
const FEWEST = 3;
/** Timers are watched while nothing is asked. */
const REST_MS = 20_000;
/** What the timer of the probe takes at most in a second. */
const PROBE_MS = 40;
/** The first round of retention begins a minute after the start. */
const RETENTION_AFTER_MS = 58_000;
const RETENTION_WITHIN_MS = 600_000;

const MOST_TIMES = 1.5;
const LONGEST_HOLD_MS = 20;
/** Of a core, at rest. */
const MOST_AT_REST = 0.01;
/** Below this, a call of a gateway costs more than its query: noise decides about the ratio. */
const NOTHING_MS = 0.3;

interface Measured {
  readonly ms: number;
  readonly holdMs: number;
}

interface Row {
  readonly name: string;
  readonly small: Measured;
  readonly large: Measured;
  readonly isGood: boolean;
}

export interface SizeOptions {
  /** `1m`, or one of the other names of sizes. */
  readonly size: string;
  /** Only cases whose name contains it. Null: all, and the timers. */
  readonly only: string | null;
  note(text: string): void;
}

export async function benchSize({ size, only, note }: SizeOptions): Promise<void> {
  const jobs = sizes[size];
  if (jobs === undefined) throw new Error(`There are the sizes ${Object.keys(sizes).join(', ')}.`);
  const sides = [await open(SMALL, note), await open(jobs, note)] as const;
  const rows: Row[] = [];
  note(
    `${'CPU of a call, in ms'.padEnd(46)}${'10k'.padStart(10)}${size.padStart(10)}${'ratio'.padStart(8)}${'hold 10k'.padStart(10)}${'hold'.padStart(8)}`,
  );
  const keep = (row: Row) => {
    rows.push(row);
    note(describeRow(row));
  };
  if (only === null || 'timers'.includes(only)) for (const row of await timers(sides)) keep(row);
  let refused = 0;
  for (const one of cases.filter(({ name }) => only === null || name.includes(only))) {
    try {
      keep(await compare(one, sides));
    } catch (error) {
      // The gateway refuses what takes too long.
      refused += 1;
      note(`${one.name.padEnd(46)} ✗ ${String(error).slice(0, 300)}`);
    }
  }
  const good = rows.filter(({ isGood }) => isGood).length;
  note(
    `\n${good} of ${rows.length + refused} reach the goal: at most ${MOST_TIMES} × of 10k, the event loop never held for more than ${LONGEST_HOLD_MS} ms, at rest below ${100 * MOST_AT_REST} % of a core.`,
  );
  for (const { gateway } of sides) await gateway.stop();
}

interface Measurable extends Omit<Side, 'connection'> {
  readonly startedAt: number;
}

async function open(jobs: number, note: (text: string) => void): Promise<Measurable> {
  const filled = await filledStore(jobs, note);
  const gateway = await startGateway({ dataDir: filled.folder, nodeFlags: probeFlags, isAsked: true });
  note(`${jobs} jobs: ${(filled.bytes / 1024 ** 3).toFixed(2)} GB in ${filled.folder}`);
  return { gateway, filled, startedAt: performance.now() };
}

type Asked = Pick<Side, 'gateway'>;

async function cpuOf(side: Asked, work: () => Promise<unknown>): Promise<number> {
  const before = await ask(side.gateway.server, 'cpu');
  await work();
  return ((await ask(side.gateway.server, 'cpu')) - before) / 1_000;
}

async function holdOf(side: Asked, work: () => Promise<unknown>): Promise<number> {
  await ask(side.gateway.server, 'watch');
  await work();
  return ask(side.gateway.server, 'hold');
}

async function compare({ name, prepare }: Case, opened: readonly [Measurable, Measurable]): Promise<Row> {
  // The gateway closes connections that are idle for long.
  const sides = await Promise.all(
    opened.map(async (side) => ({ ...side, connection: await HttpConnection.open(side.gateway.server.port) })),
  );
  const measured: Measured[] = [];
  const calls = [];
  for (const side of sides) {
    const call = await prepare(side).catch((error: unknown) => {
      throw new Error(`${name}: ${String(error)}`);
    });
    await call();
    const once = await cpuOf(side, call);
    const count = Math.max(1, Math.min(MOST_CALLS, Math.round(ROUND_MS / once)));
    calls.push({ side, call, count, most: Math.max(FEWEST, Math.round(CASE_MS / once)), rounds: [] as number[] });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const { side, call, count, most, rounds } of calls) {
      if (round >= most) continue;
      const ms = await cpuOf(side, async () => {
        for (let i = 0; i < count; i++) await call();
      });
      rounds.push(ms / count);
    }
  }
  for (const { side, call, most, rounds } of calls) {
    const holds = [];
    for (let i = 0; i < Math.min(HOLDS, most); i++) holds.push(await holdOf(side, call));
    // The longest but one: once, it may be the garbage of what ran before.
    measured.push({ ms: second(rounds), holdMs: second(holds.map((hold) => -hold)) * -1 });
  }
  for (const { connection } of sides) connection.close();
  const [small, large] = measured;
  if (!small || !large) throw new Error('Expected two sides.');
  const isGood = large.ms <= MOST_TIMES * Math.max(small.ms, NOTHING_MS) && large.holdMs <= LONGEST_HOLD_MS;
  return { name, small, large, isGood };
}

/** The second lowest: other work on the machine only adds to it. */
const second = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[1] ?? Number.NaN;

/** What runs while nobody asks: the sweep, and the first round of retention. */
async function timers(sides: readonly [Measurable, Measurable]): Promise<Row[]> {
  const rest = await Promise.all(
    sides.map(async (side): Promise<Measured> => {
      // The probe's own timer would be most of it.
      const ms = await cpuOf(side, () => wait(REST_MS));
      return { ms: (1_000 * ms) / REST_MS, holdMs: await holdOf(side, () => wait(REST_MS)) };
    }),
  );
  const retention = await Promise.all(
    sides.map(async (side, i): Promise<Measured> => {
      await wait(Math.max(0, side.startedAt + RETENTION_AFTER_MS - performance.now()));
      await ask(side.gateway.server, 'watch');
      const usual = 2 * (rest[i]?.ms ?? 0) + PROBE_MS;
      let sum = 0;
      let quiet = 0;
      const began = performance.now();
      // Over once it has been quiet for some seconds. At first, it has not begun.
      while (performance.now() - began < RETENTION_WITHIN_MS && (quiet < 4 || performance.now() - began < 8_000)) {
        const ms = await cpuOf(side, () => wait(1_000));
        quiet = ms <= usual ? quiet + 1 : 0;
        sum += ms;
      }
      return { ms: sum, holdMs: await ask(side.gateway.server, 'hold') };
    }),
  );
  const row = (name: string, [small, large]: readonly Measured[], isGood: (large: Measured) => boolean): Row => {
    if (!small || !large) throw new Error('Expected two sides.');
    return { name, small, large, isGood: isGood(large) && large.holdMs <= LONGEST_HOLD_MS };
  };
  return [
    row('at rest, in a second', rest, ({ ms }) => ms <= 1_000 * MOST_AT_REST),
    // Once an hour, in small steps: it may take as much more as there is more to look at.
    row('a round of retention', retention, () => true),
  ];
}

function describeRow({ name, small, large, isGood }: Row): string {
  const figure = (value: number, width: number) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0).padStart(width);
  return `${name.padEnd(46)}${figure(small.ms, 10)}${figure(large.ms, 10)}${figure(large.ms / small.ms, 8)}${figure(small.holdMs, 10)}${figure(large.holdMs, 8)}${isGood ? '' : '  ✗'}`;
}
