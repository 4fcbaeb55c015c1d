/** Thousands of events at once, with fifty subscribers: fast ones, slow ones and late ones. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { unwrap } from '../../src/client/errors.ts';
import { CancelJobDocument, CreateJobDocument, CreateProjectDocument, EventsDocument } from '../../src/client/generated.ts';
import { subscribe } from '../../src/client/node/subscribe.ts';
import { createRequester } from '../../src/client/request.ts';
import { createPostgresDatabase, createSqliteDatabase } from '../support/databases.ts';
import { startGateway } from '../support/gateway.ts';

const JOBS = 5;
const STEPS = 1_000;
/**
 * The growth allowed to one gateway: far less than a copy of the burst for each subscriber (50 ×
 * some MB).
 */
const MOST_GROWTH_MB = 150;

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

const memoryMb = (pid: number) => Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;

test.skipIf(process.platform !== 'linux').each([
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
])(
  'a burst of 5,000 events reaches fifty subscribers in order, each of them once, on $dialect (P7, P9)',
  { timeout: 150_000 },
  async ({ create }) => {
    const database = await create();
    ending.push(() => database.remove());
    const gateway = await startGateway({ database, flags: ['--aggregator', 'off'] });
    ending.push(() => gateway.stop());
    const target = { url: gateway.url, token: gateway.adminKey };
    const client = createRequester(target);
    const { project } = unwrap((await client.request(CreateProjectDocument, { input: { name: 'Burst' } })).createProject);
    const jobIds: string[] = [];
    const steps = Array.from({ length: STEPS }, (_, i) => ({ name: `Step ${i}` }));
    for (let i = 0; i < JOBS; i++) {
      const input = { projectId: project.id, name: `Job ${i}`, steps };
      jobIds.push(unwrap((await client.request(CreateJobDocument, { input })).createJob).job.id);
    }
    const stop = new AbortController();
    ending.push(async () => stop.abort());
    const seen: string[][] = [];
    const watching: Promise<void>[] = [];
    const watch = (waitMs: number) => {
      const mine: string[] = [];
      seen.push(mine);
      let live = () => {};
      const isLive = new Promise<void>((resolve) => (live = resolve));
      const reading = (async () => {
        for await (const { events, missed, state } of subscribe(
          target,
          EventsDocument,
          { filter: { projectId: project.id } },
          { signal: stop.signal },
        )) {
          expect(missed).toBe(0);
          for (const { cursor } of events) mine.push(cursor);
          if (state === 'LIVE') live();
          if (waitMs > 0) await pause(waitMs);
          if (mine.length >= total) return;
        }
      })();
      watching.push(reading);
      return isLive;
    };
    let total = Number.POSITIVE_INFINITY;
    await Promise.all([...Array.from({ length: 30 }, () => watch(0)), ...Array.from({ length: 10 }, () => watch(300))]);
    // Each step is skipped and each job ends. Set before that: the last frame may arrive before the
    // answers.
    total = (seen[0]?.length ?? 0) + JOBS * (STEPS + 1);
    const memory = memoryMb(gateway.pid);
    await Promise.all(jobIds.map(async (jobId) => unwrap((await client.request(CancelJobDocument, { input: { jobId } })).cancelJob)));
    for (let i = 0; i < 10; i++) void watch(0);
    await Promise.all(watching);
    expect(new Set(seen[0]).size).toBe(total);
    for (const mine of seen) expect(mine).toEqual(seen[0]);
    expect(memoryMb(gateway.pid) - memory).toBeLessThan(MOST_GROWTH_MB);
    expect(gateway.output()).not.toMatch(/INTERNAL_ERROR|unhandled/i);
  },
);
