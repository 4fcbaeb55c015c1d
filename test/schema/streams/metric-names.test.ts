/** The number of metrics that a job may have, and the cost of reading a job that has more. */
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import { reportMetrics } from '../../../src/domain/claims/progress.ts';
import { InvalidInput } from '../../../src/domain/core/refusals.ts';
import { createSqliteDatabase, describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed } from '../../support/seed.ts';
import { askAs } from '../ask.ts';

const query = 'query ($id: ID!, $names: [String!]) { job(id: $id) { metrics(names: $names) { name value } } }';

describeOnEachStore('a job with a limit of five metrics', (open) => {
  test('refuses the sixth by its name, and accepts new values of the five (P14)', async () => {
    const seed = await plantSeed(await open(), { limits: { metricNamesAtMost: 5 } });
    const job = await seed.createJob(2);
    const device = await seed.registerDevice();
    const { token: one } = (await seed.claim(job, 0, device)).lease;
    const report = (leaseToken: string, names: string[], value = 1) =>
      reportMetrics(seed.domain, admin, { leaseToken, metrics: names.map((name) => ({ name, value })) });
    await report(one, ['a', 'b', 'c']);
    await completeStep(seed.domain, admin, { leaseToken: one });
    const { token: two } = (await seed.claim(job, 1, device)).lease;
    // The same name in another step is another metric.
    await report(two, ['a', 'b']);
    const refused = await report(two, ['a', 'b', 'z'], 2).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidInput);
    expect(refused).toMatchObject({
      issues: [{ path: ['metrics', '2', 'name'], message: expect.stringContaining('5 different metrics') }],
    });
    expect(await report(two, ['a', 'b', 'a'], 3)).toMatchObject({ accepted: 3 });
    const { job: read } = await askAs(seed.domain, admin)<{ job: { metrics: unknown } }>(query, { id: job.job.id });
    expect(read.metrics).toEqual([
      { name: 'a', value: 3 },
      { name: 'b', value: 3 },
      { name: 'c', value: 1 },
    ]);
  });
});

test('a job with 100,000 metrics is read by metric name, and refused at once without a name (P9, P14)', async () => {
  const database = await createSqliteDatabase();
  const store = await database.open();
  const seed = await plantSeed(store);
  const { job } = await seed.createJob(1);
  await store.write(async ({ db }) =>
    db.run(sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
      insert into latest_metrics (job_id, step_number, name, attempt, value, at, seq) select ${job.id}, 0, 'm' || i, 1, i, 0, i from n`),
  );
  const ask = askAs(seed.domain, admin);
  const before = process.cpuUsage();
  await expect(ask(query, { id: job.id })).rejects.toThrow('Ask for some of them with the argument names.');
  const { user, system } = process.cpuUsage(before);
  // Reading all of them as rows took 1.6 s.
  expect((user + system) / 1_000).toBeLessThan(400);
  expect(await ask(query, { id: job.id, names: ['m1', 'm99999', 'none'] })).toEqual({
    job: {
      metrics: [
        { name: 'm1', value: 1 },
        { name: 'm99999', value: 99_999 },
      ],
    },
  });
  await database.remove();
});
