/** Writes that share a transaction: what each of them changes when some of them fail. */

import { asc } from 'drizzle-orm';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Store, statement, type Tx } from '../../../src/store/store.ts';
import { createSqliteDatabase, type TestDatabase } from '../../support/databases.ts';

const addNote = statement<{ key: string; value: string }, unknown>('test.groups-add-note', (db, t, $) =>
  db.insert(t.meta).values({ key: $('key'), value: $('value') }),
);
const addPair = statement<{ one: string; other: string }, unknown>('test.groups-add-pair', (db, t, $) =>
  db.insert(t.meta).values([
    { key: $('one'), value: '' },
    { key: $('other'), value: '' },
  ]),
);
const readNotes = statement<object, { key: string }[]>('test.groups-read-notes', (db, t) =>
  db.select({ key: t.meta.key }).from(t.meta).orderBy(asc(t.meta.key)),
);

/** What a write does. With `builds`, its statements are built for each call. */
interface Plan {
  readonly ends: 'well' | 'before it writes' | 'after it writes' | 'by a constraint' | 'by its second row' | 'after the loop has turned';
  readonly builds: boolean;
}
const plans = fc.array(
  fc.record<Plan>({
    ends: fc.constantFrom<Plan['ends']>(
      ...(['well', 'well', 'well', 'before it writes', 'after it writes', 'by a constraint', 'by its second row'] as const),
      'after the loop has turned',
    ),
    builds: fc.boolean(),
  }),
  { minLength: 1, maxLength: 20 },
);

describe('Writes of one group', () => {
  let database: TestDatabase;
  let store: Store;
  beforeEach(async () => {
    database = await createSqliteDatabase();
    store = await database.open();
  });
  afterEach(() => database.remove());

  const add = async (tx: Tx, key: string, { builds }: Plan): Promise<void> => {
    if (builds) await tx.db.insert(tx.t.meta).values({ key, value: '' });
    else await tx.run(addNote, { key, value: '' });
  };

  const addTwo = async (tx: Tx, [one, other]: [string, string], { builds }: Plan): Promise<void> => {
    const pair = [one, other].map((key) => ({ key, value: '' }));
    if (builds) await tx.db.insert(tx.t.meta).values(pair);
    else await tx.run(addPair, { one, other });
  };

  /** Resolves to the notes that the write found. */
  const run = (key: string, plan: Plan): Promise<string[]> =>
    store.write(async (tx) => {
      const found = await tx.run(readNotes, {});
      if (plan.ends === 'before it writes') throw new Error('refused before');
      await add(tx, `${key} first`, plan);
      tx.touch(key);
      if (plan.ends === 'after it writes') throw new Error('refused after');
      if (plan.ends === 'by a constraint') await add(tx, `${key} first`, plan);
      if (plan.ends === 'by its second row') await addTwo(tx, [`${key} second`, `${key} first`], plan);
      if (plan.ends === 'after the loop has turned') await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      await add(tx, `${key} second`, plan);
      return found.map((note) => note.key);
    });

  test('are all or nothing each, see those before them that did not fail, and are told once', { timeout: 60_000 }, async () => {
    let example = 0;
    const property = fc.asyncProperty(plans, async (group) => {
      const name = (i: number) => `${String(example).padStart(4, '0')} ${String(i).padStart(2, '0')}`;
      example++;
      const before = (await store.read.run(readNotes, {})).map(({ key }) => key);
      const heard: string[] = [];
      const stop = store.onCommit((topics) => heard.push(...topics));
      const outcomes = await Promise.allSettled(group.map((plan, i) => run(name(i), plan)));
      stop();
      const expected = [...before];
      for (const [i, { ends }] of group.entries()) {
        const outcome = outcomes[i];
        expect(outcome?.status).toBe(ends === 'well' ? 'fulfilled' : 'rejected');
        if (outcome?.status !== 'fulfilled') continue;
        expect(outcome.value).toEqual([...expected].sort());
        expected.push(`${name(i)} first`, `${name(i)} second`);
      }
      expect((await store.read.run(readNotes, {})).map(({ key }) => key)).toEqual(expected.sort());
      expect(heard.sort()).toEqual(group.flatMap(({ ends }, i) => (ends === 'well' ? [name(i)] : [])));
    });
    await fc.assert(property, { numRuns: 60 });
  });

  test('run once while none of them fails after it has written, and at most twice otherwise', async () => {
    const runsOf = async (ends: readonly Plan['ends'][]) => {
      const runs = ends.map(() => 0);
      const writes = ends.map((end, i) =>
        store.write(async (tx) => {
          runs[i] = (runs[i] ?? 0) + 1;
          if (end === 'before it writes') throw new Error('refused before');
          await tx.run(addNote, { key: `${ends.join()} ${i}`, value: '' });
          if (end === 'after it writes') throw new Error('refused after');
        }),
      );
      await Promise.allSettled(writes);
      return runs;
    };
    expect(await runsOf(['well', 'before it writes', 'well'])).toEqual([1, 1, 1]);
    expect(await runsOf(['well', 'after it writes', 'well'])).toEqual([2, 1, 1]);
    expect(await runsOf(['well', 'after it writes', 'well', 'after it writes', 'well'])).toEqual([2, 1, 1, 1, 1]);
  });
});
