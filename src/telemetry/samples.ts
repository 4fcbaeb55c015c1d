/**
 * Values read when the metrics are requested: what is stored and not over yet, and the free space.
 */
import { statfs } from 'node:fs/promises';
import type { Domain } from '../domain/core/domain.ts';
import { Gauge, type Instrument, type Reading } from '../instruments/instruments.ts';
import { heldSteps, queuedSteps, unfinishedJobs } from '../store/queries/tallies.ts';
import { inTime } from './in-time.ts';

/** Concurrent scrapes share one look. */
const KEPT_MS = 2_000;
/**
 * A database that does not answer leaves its values out of this scrape, and delays none of the
 * others.
 */
const LOOK_MS = 2_000;

interface Sample {
  readonly jobs: readonly Reading[];
  readonly steps: readonly Reading[];
  readonly oldestSeconds: readonly Reading[];
}
const nothing: Sample = { jobs: [], steps: [], oldestSeconds: [] };

export function samplesOf(domain: Domain, dataDir: string): readonly Instrument[] {
  let newest: { readonly at: number; readonly sample: Promise<Sample> } | null = null;
  const look = (): Promise<Sample> => {
    const at = performance.now();
    if (!newest || at - newest.at > KEPT_MS) newest = { at, sample: inTime(LOOK_MS, take(domain)).catch(() => nothing) };
    return newest.sample;
  };
  return [
    new Gauge(
      { name: 'trainyard_jobs', help: 'Jobs that are not over, by status; the same from each gateway of one database' },
      async () => (await look()).jobs,
    ),
    new Gauge(
      {
        name: 'trainyard_steps',
        help: 'Steps that are queued or held under a lease, by status; the same from each gateway of one database',
      },
      async () => (await look()).steps,
    ),
    new Gauge(
      { name: 'trainyard_oldest_queued_step_seconds', help: 'How long the oldest of the queued steps has been queued; 0: there is none' },
      async () => (await look()).oldestSeconds,
    ),
    new Gauge({ name: 'trainyard_store_trouble', help: '1 while the database or its disk takes no writes' }, () =>
      domain.store.trouble === null ? 0 : 1,
    ),
    new Gauge({ name: 'trainyard_data_free_bytes', help: 'Room that is left on the disk of the data folder' }, async () => {
      // A folder that cannot be read (its disk was removed) leaves out its own value only.
      const disk = await statfs(dataDir).catch(() => null);
      return disk ? disk.bavail * disk.bsize : [];
    }),
  ];
}

async function take({ store: { read }, clock }: Domain): Promise<Sample> {
  const walks = read.walks ?? read;
  const [queued] = await walks.run(queuedSteps, {});
  const held = await walks.run(heldSteps, {});
  const jobs = await walks.run(unfinishedJobs, {});
  const age = queued?.oldest ? Math.max(0, clock.now().getTime() - queued.oldest.getTime()) / 1_000 : 0;
  return {
    jobs: jobs.map(readingOf),
    steps: [{ status: 'QUEUED', count: queued?.count ?? 0 }, ...held].map(readingOf),
    oldestSeconds: [{ labels: {}, value: age }],
  };
}

const readingOf = ({ status, count }: { readonly status: string; readonly count: number }): Reading => ({
  labels: { status },
  value: count,
});
