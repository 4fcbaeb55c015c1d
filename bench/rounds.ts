/** Contestants take turns, A B A B, so that what else the machine does meanwhile falls on all of them alike. */
import type { Server } from './processes.ts';
import { beginProfile } from './profile.ts';

/** What one contestant did in one round. */
interface Round {
  readonly perSecond: number;
  /** By the server's own processor time: says the same on a machine that others use at the same time. NaN where it is not known. */
  readonly perCpuSecond: number;
  /** Share of the round in which the server had the processor. Well below 1, it waited: for the disk, the load, or another program. */
  readonly busy: number;
  /** The same of the load. Near 1, it is the load that is measured. */
  readonly loadBusy: number;
}

export interface Contestant {
  readonly name: string;
  readonly server: Server;
  /** What has to be there before a round of `ms`; it is not measured. */
  prepare?(ms: number): Promise<void>;
  /** Works for about `ms`; resolves to how often it did what is counted. */
  run(ms: number): Promise<{ count: number; seconds: number }>;
}

export interface Figures {
  readonly name: string;
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly busy: number;
  readonly loadBusy: number;
  /** The slowest and the fastest round. */
  readonly least: number;
  readonly most: number;
}

export interface Plan {
  readonly rounds: number;
  readonly ms: number;
  readonly warmUpMs: number;
}

/** Warms each up, and then measures them in turns. Figures are medians over the rounds. */
export async function takeTurns(contestants: readonly Contestant[], { rounds, ms, warmUpMs }: Plan): Promise<Figures[]> {
  const done = contestants.map((): Round[] => []);
  for (const contestant of contestants) {
    await contestant.prepare?.(warmUpMs);
    await contestant.run(warmUpMs);
  }
  beginProfile();
  for (let round = 0; round < rounds; round++) {
    for (const [i, contestant] of contestants.entries()) done[i]?.push(await measure(contestant, ms));
  }
  return contestants.map(({ name }, i) => summarise(name, done[i] ?? []));
}

async function measure({ server, prepare, run }: Contestant, ms: number): Promise<Round> {
  await prepare?.(ms);
  const before = server.cpuSeconds();
  const loadBefore = process.cpuUsage();
  const { count, seconds } = await run(ms);
  const cpu = server.cpuSeconds() - before;
  const { user, system } = process.cpuUsage(loadBefore);
  return { perSecond: count / seconds, perCpuSecond: count / cpu, busy: cpu / seconds, loadBusy: (user + system) / 1e6 / seconds };
}

function summarise(name: string, rounds: readonly Round[]): Figures {
  const speeds = rounds.map(({ perSecond }) => perSecond);
  return {
    name,
    perSecond: median(speeds),
    perCpuSecond: median(rounds.map(({ perCpuSecond }) => perCpuSecond)),
    busy: median(rounds.map(({ busy }) => busy)),
    loadBusy: median(rounds.map(({ loadBusy }) => loadBusy)),
    least: Math.min(...speeds),
    most: Math.max(...speeds),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
