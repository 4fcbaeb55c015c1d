/**
 * Drizzle still passes whole results to the mapper of prepared statements. If it did not, queries
 * would be slow, and nothing else would show it.
 */
import { eq, sql } from 'drizzle-orm';
import { beforeAll, expect, test, vi } from 'vitest';
import { mapPlainly } from '../../../src/store/statements/mapping.ts';
import type { Store } from '../../../src/store/store.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { plantSeed, type Seed } from '../../support/seed.ts';

/** A prepared query of Drizzle's, with the parts that mapping.ts relies on. */
interface Mapped {
  customResultMapper?: (rows: readonly (readonly unknown[])[]) => unknown;
  execute(values: object): Promise<unknown>;
}

describeOnEachStore('The mapping of a prepared statement', (open) => {
  let store: Store;
  let seed: Seed;
  beforeAll(async () => {
    store = await open();
    seed = await plantSeed(store);
  });

  const prepare = (columns: object): Mapped => {
    const { db, t } = store.read;
    // The common type of both databases' builders has no `prepare`.
    const builder = db.select(columns as never).from(t.projects) as unknown as { prepare(name: string): Mapped };
    return builder.prepare(`mapping of ${Object.keys(columns).join()}`);
  };

  test('is called once for a result, with columns and expressions decoded', async () => {
    const { projects } = store.tables;
    const doubled = sql`length(${projects.name}) * 2`.mapWith(Number);
    const prepared = prepare({ name: projects.name, pipeline: projects.pipeline, createdAt: projects.createdAt, doubled });
    mapPlainly(prepared);
    if (!prepared.customResultMapper) throw new Error('The statement was given no mapper.');
    const mapper = vi.fn(prepared.customResultMapper);
    prepared.customResultMapper = mapper;
    expect(await prepared.execute({})).toEqual([
      { name: 'Digits', pipeline: [expect.objectContaining({ name: 'Bootstrap' })], createdAt: expect.any(Date), doubled: 12 },
    ]);
    expect(mapper).toHaveBeenCalledTimes(1);
    expect(mapper.mock.calls[0]?.[0]).toHaveLength(1);
  });

  const prepareJoin = (how: 'innerJoin' | 'leftJoin'): Mapped => {
    const { db, t } = store.read;
    const rows = db.select({ project: { name: t.projects.name, createdAt: t.projects.createdAt }, job: { id: t.jobs.id } });
    const builder = rows.from(t.projects)[how](t.jobs, eq(t.jobs.projectId, t.projects.id)) as unknown as { prepare(name: string): Mapped };
    return builder.prepare(how);
  };

  test('nests the rows of joined tables', async () => {
    const { job } = await seed.createJob();
    const prepared = prepareJoin('innerJoin');
    mapPlainly(prepared);
    expect(prepared.customResultMapper).toBeDefined();
    expect(await prepared.execute({})).toEqual([{ project: { name: 'Digits', createdAt: expect.any(Date) }, job: { id: job.id } }]);
  });

  test('is left to Drizzle for nested rows of joined tables that may be missing', () => {
    const prepared = prepareJoin('leftJoin');
    mapPlainly(prepared);
    expect(prepared.customResultMapper).toBeUndefined();
  });
});
