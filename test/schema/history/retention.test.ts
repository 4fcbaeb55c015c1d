/** Pages and curves report what is past retention, as streams do (P8). */
import { expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { appendLog, reportMetrics } from '../../../src/domain/claims/progress.ts';
import { defaultRetention } from '../../../src/domain/core/limits.ts';
import { applyRetention } from '../../../src/domain/sweep/retention.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed } from '../../support/seed.ts';
import { askAs } from '../ask.ts';

interface Answer {
  readonly job: {
    readonly events: { readonly missed: number; readonly endCursor: string | null; readonly events: readonly unknown[] };
    readonly metrics: readonly { readonly value: number }[];
    readonly metricSeries: { readonly totalPoints: number; readonly missed: number };
    readonly steps: readonly {
      readonly log: { readonly missed: number; readonly endCursor: string | null; readonly chunks: readonly { readonly offset: number }[] };
    }[];
  };
}

describeOnEachStore('What is past retention', (open) => {
  test('is counted in pages of the log and of events, and beside a curve (P8)', async () => {
    const seed = await plantSeed(await open());
    const { domain, clock } = seed;
    const job = await seed.createJob();
    const leaseToken = (await seed.claim(job, 0, undefined, 3_600)).lease.token;
    const chunks = Array.from({ length: 1_000 }, (_, i) => ({ offset: i * 100, text: '.'.repeat(100), stream: 'STDOUT' as const }));
    await appendLog(domain, admin, { leaseToken, chunks });
    const metrics = Array.from({ length: 500 }, (_, iteration) => ({ name: 'loss', iteration, value: iteration }));
    await reportMetrics(domain, admin, { leaseToken, metrics });
    await completeStep(domain, admin, { leaseToken });
    const events = await seed.readEvents(job.job.id);
    const { db, t } = domain.store.read;
    while ((await db.select().from(t.events)).some(({ position }) => position < 0)) await new Promise(setImmediate);
    clock.jump(5 * 86_400_000);
    const rules = { ...defaultRetention, logBytes: 70_000, thinMetricDays: 1, eventDays: 1 };
    await applyRetention(domain, rules, { which: 'all', pause: async () => {} });

    const ask = askAs(domain, admin);
    const query = `query ($id: ID!, $log: Cursor, $events: Cursor) { job(id: $id) {
      events(after: $events) { missed endCursor events { at } } metrics { value } metricSeries(name: "loss") { totalPoints missed }
      steps { log(after: $log, first: 10) { missed endCursor chunks { offset } } } } }`;
    const { job: first } = await ask<Answer>(query, { id: job.job.id });
    const log = first.steps[0]?.log;
    expect(log).toMatchObject({ missed: 300 });
    expect(log?.chunks.map(({ offset }) => offset)).toEqual(Array.from({ length: 10 }, (_, i) => 30_000 + i * 100));
    expect(first.events).toMatchObject({ missed: events.length, events: [] });
    expect(first.metricSeries.totalPoints + first.metricSeries.missed).toBe(500);
    expect(first.metricSeries.missed).toBeGreaterThan(400);
    expect(first.metrics).toEqual([{ value: 499 }]);
    // The next page reports nothing twice.
    const { job: next } = await ask<Answer>(query, { id: job.job.id, log: log?.endCursor, events: first.events.endCursor });
    expect([next.steps[0]?.log.missed, next.steps[0]?.log.chunks[0]?.offset, next.events.missed]).toEqual([0, 31_000, 0]);
  });
});
