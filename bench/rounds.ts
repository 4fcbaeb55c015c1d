/** Contestants take turns, A B A B, so that other work on the machine slows all of them alike. */
import type { Server } from './processes.ts';
import { beginProfile } from './profile.ts';

/** A contestant's result in one round. */
interface Round {
  readonly perSecond: number;
  /**
   * Per processor second of the server: holds on a machine that others use meanwhile. NaN if
   * unknown.
   */
  readonly perCpuSecond: number;
  /**
   * Share of the round in which the server ran. Well below 1, it waited for the disk, the load or
   * another program.
   */
  readonly busy: number;
  /** The same for the load. Near 1, the load is what was measured. */
  readonly loadBusy: number;
}

export interface Contestant {
  readonly name: string;
  readonly server: Server;
  /** Prepares a round of `ms`. Not measured. */
  prepare?(ms: number): Promise<void>;
  /** Works for about `ms`. Resolves to the number of counted operations. */
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

/**
 * Which round counts for the processor time: this share of the rounds is slower. Other work on the
 * machine shares caches and cores and only adds to the time, so the fast rounds show what the
 * server takes. Many short rounds catch more quiet moments than few long ones.
 */
const UNDISTURBED = 0.9;

/**
 * Warms up each contestant, then measures them in turns. Figures are medians over the rounds, but
 * for the processor time.
 */
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
    perCpuSecond: quantile(
      rounds.map(({ perCpuSecond }) => perCpuSecond),
      UNDISTURBED,
    ),
    busy: median(rounds.map(({ busy }) => busy)),
    loadBusy: median(rounds.map(({ loadBusy }) => loadBusy)),
    least: Math.min(...speeds),
    most: Math.max(...speeds),
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
