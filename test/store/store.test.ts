/** What the rest of Trainyard relies on, on both databases. */
import { setTimeout as wait } from 'node:timers/promises';
import { and, asc, eq, gt, isNull, sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import type { DeviceRow } from '../../src/store/schema/tables.ts';
import { type Store, statement, type Tx } from '../../src/store/store.ts';
import { describeOnEachStore } from '../support/databases.ts';

const addNote = statement<{ key: string; value: string }, unknown>('test.add-note', (db, t, $) =>
  db.insert(t.meta).values({ key: $('key'), value: $('value') }),
);
const note = (tx: Tx, key: string, value = '') => tx.run(addNote, { key, value });
const notesOf = async (store: Store): Promise<string[]> => {
  const { db, t } = store.read;
  const rows = await db.select().from(t.meta).orderBy(asc(t.meta.key));
  return rows.map(({ key }) => key).filter((key) => !['identity', 'secret', 'origin'].includes(key));
};

const insertDevice = statement<DeviceRow, unknown>('test.insert-device', (db, t, $) =>
  db.insert(t.devices).values({
    id: $('id'),
    projectId: $('projectId'),
    projectKey: $('projectKey'),
    name: $('name'),
    kind: $('kind'),
    labels: $('labels'),
    resources: $('resources'),
    slots: $('slots'),
    isDraining: $('isDraining'),
    capabilities: $('capabilities'),
    lastSeenAt: $('lastSeenAt'),
    createdAt: $('createdAt'),
    updatedAt: $('updatedAt'),
  }),
);
const devicesSeenAfter = statement<{ moment: Date; isDraining: boolean }, DeviceRow[]>('test.devices-seen-after', (db, t, $) =>
  db
    .select()
    .from(t.devices)
    .where(
      and(gt(t.devices.lastSeenAt, $('moment', t.devices.lastSeenAt)), eq(t.devices.isDraining, $('isDraining', t.devices.isDraining))),
    ),
);

const morning = new Date('2026-03-29T01:59:59.987Z');
const device: DeviceRow = {
  id: 'dev_1',
  projectId: null,
  projectKey: '',
  name: "gpu-1 “αβγ” 🚂 '; drop table",
  kind: 'WORKER',
  labels: [{ key: 'zone', value: 'b' }],
  resources: { memoryMb: 16_000.5, cpu: 8, gpu: null, gpuModel: null, shm: true },
  slots: 2,
  isDraining: true,
  capabilities: { runs: ['PROCESS'], stepNames: [] },
  lastSeenAt: morning,
  createdAt: new Date(0),
  updatedAt: morning,
};

describeOnEachStore('A store', (open, create, dialect) => {
  test('a write that throws changes nothing, and its caller gets what was thrown', async () => {
    const store = await open();
    const refused = new Error('no');
    const write = store.write(async (tx) => {
      await note(tx, 'a');
      throw refused;
    });
    await expect(write).rejects.toBe(refused);
    expect(await notesOf(store)).toEqual([]);
  });

  test('a write that throws among many at once undoes only itself', async () => {
    const store = await open();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 300 }, (_, i) =>
        store.write(async (tx) => {
          await note(tx, `note-${i}`);
          if (i % 3 === 0) throw new Error(`refused ${i}`);
          return i;
        }),
      ),
    );
    expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : -1))).toEqual(
      outcomes.map((_, i) => (i % 3 === 0 ? -1 : i)),
    );
    expect(await notesOf(store)).toEqual(
      outcomes.flatMap((_, i) => (i % 3 === 0 ? [] : [`note-${i}`])).sort(), // as C sorts
    );
  });

  test('a statement that the database refuses undoes only that write', async () => {
    const store = await open();
    const [first, second, third] = await Promise.allSettled(
      ['a', 'a', 'b'].map((key) =>
        store.write(async (tx) => {
          await note(tx, `${key}-before`);
          await note(tx, key);
        }),
      ),
    );
    // The two that use `a` race on PostgreSQL, and one wins.
    expect([first?.status, second?.status].sort()).toEqual(['fulfilled', 'rejected']);
    expect(third?.status).toBe('fulfilled');
    expect(await notesOf(store)).toEqual(['a', 'a-before', 'b', 'b-before']);
  });

  test('simultaneous writes to the same row are all committed', async () => {
    const store = await open();
    await store.write((tx) => note(tx, 'count', '0'));
    const increment = (tx: Tx) =>
      tx.db
        .update(tx.t.meta)
        .set({ value: sql`cast(cast(${tx.t.meta.value} as integer) + 1 as text)` })
        .where(eq(tx.t.meta.key, 'count'))
        .returning({ value: tx.t.meta.value });
    const seen = await Promise.all(Array.from({ length: 200 }, () => store.write(increment)));
    expect(seen.map(([row]) => Number(row?.value)).sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  });

  test('a committed write is visible to the next read, and after the database is opened again', async () => {
    const database = await create();
    const store = await database.open();
    await store.write((tx) => note(tx, 'kept'));
    expect(await notesOf(store)).toEqual(['kept']);
    const { identity, secret } = store;
    await store.close();
    const again = await database.open();
    expect(await notesOf(again)).toEqual(['kept']);
    expect({ identity: again.identity, secret: again.secret }).toEqual({ identity, secret });
  });

  test('a read sees what is committed, never what a write is about to do', async () => {
    const store = await open();
    let seenInside: string[] = [];
    let reading: Promise<string[]> | undefined;
    await store.write(async (tx) => {
      await note(tx, 'new');
      seenInside = (await tx.db.select().from(tx.t.meta).where(eq(tx.t.meta.key, 'new'))).map(({ key }) => key);
      // Not awaited here: a write must await nothing but its transaction.
      reading = notesOf(store);
      if (dialect === 'postgres') await reading;
    });
    expect(seenInside).toEqual(['new']);
    expect(await reading).toEqual([]);
    expect(await notesOf(store)).toEqual(['new']);
  });

  test('dates, booleans, JSON and nulls come back from a prepared insert as they went in', async () => {
    const store = await open();
    const bare: DeviceRow = { ...device, id: 'dev_2', name: 'bare', labels: [], lastSeenAt: null, isDraining: false };
    await store.write(async (tx) => {
      await tx.run(insertDevice, device);
      await tx.run(insertDevice, bare);
    });
    const { db, t } = store.read;
    expect(await db.select().from(t.devices).orderBy(asc(t.devices.id))).toEqual([device, bare]);
    expect(await db.select().from(t.devices).where(isNull(t.devices.lastSeenAt))).toEqual([bare]);
  });

  test('a prepared condition compares dates and booleans by the column it is told', async () => {
    const store = await open();
    await store.write((tx) => tx.run(insertDevice, device));
    const before = new Date(morning.getTime() - 1);
    expect(await store.read.run(devicesSeenAfter, { moment: before, isDraining: true })).toEqual([device]);
    expect(await store.read.run(devicesSeenAfter, { moment: morning, isDraining: true })).toEqual([]);
    expect(await store.read.run(devicesSeenAfter, { moment: before, isDraining: false })).toEqual([]);
  });

  test('the keys of a JSON object keep their order, and a number keeps its 53 bits', async () => {
    const store = await open();
    const settings = { zeta: 1, alpha: { nested: [null, true, 'x'] }, mid: 0.1 };
    await store.write(async ({ db, t }) => {
      await db
        .insert(t.idempotencyKeys)
        .values({ scope: '', operation: 'x', key: 'k', input: settings, result: ['job_1'], createdAt: morning });
      await db.insert(t.streams).values({ jobId: 'job_1', kind: 'log', last: Number.MAX_SAFE_INTEGER, first: 1 });
    });
    const { db, t } = store.read;
    const [kept] = await db.select().from(t.idempotencyKeys);
    expect(JSON.stringify(kept?.input)).toBe(JSON.stringify(settings));
    const [stream] = await db.select().from(t.streams).where(eq(t.streams.jobId, 'job_1'));
    expect(stream?.last).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('a violated unique index can be told from every other error', async () => {
    const store = await open();
    await store.write((tx) => tx.run(insertDevice, device));
    const failure = (work: (tx: Tx) => Promise<unknown>) =>
      store.write(work).then(
        () => expect.unreachable(),
        (error: unknown) => store.isUniqueViolation(error),
      );
    expect(await failure((tx) => tx.run(insertDevice, { ...device, id: 'dev_2' }))).toBe(true);
    expect(await failure((tx) => tx.run(insertDevice, { ...device, name: 'another' }))).toBe(true);
    expect(await failure(({ db, t }) => Promise.resolve(db.insert(t.devices).values({ ...device, id: 'dev_2' })))).toBe(true);
    expect(await failure((tx) => tx.run(insertDevice, { ...device, id: 'dev_3', name: 'c', projectId: 'proj_none' }))).toBe(false);
    expect(await failure(({ db }) => Promise.resolve(db.select({ x: sql`no_such_column` }).from(sql`meta`)))).toBe(false);
    expect(store.isUniqueViolation(new Error('UNIQUE'))).toBe(false);
  });

  test('a status that no table of the lifecycle knows is refused by the database itself', async () => {
    const store = await open();
    const wrong = { ...device, kind: 'TOASTER' } as unknown as DeviceRow; // what the types forbid, so that the CHECK is met
    await expect(store.write((tx) => tx.run(insertDevice, wrong))).rejects.toThrow();
  });

  test('a listener hears the topics of a write after its commit, and none of a write that was undone', async () => {
    const store = await open();
    const heard: string[] = [];
    const sawRows: Promise<string[]>[] = [];
    const end = store.onCommit((topics) => {
      heard.push(...topics);
      sawRows.push(notesOf(store));
    });
    const undone = store.write(async (tx) => {
      tx.touch('job:undone');
      throw new Error('no');
    });
    const done = store.write(async (tx) => {
      await note(tx, 'done');
      tx.touch('job:done');
    });
    await Promise.allSettled([undone, done]);
    expect(heard).toEqual(['job:done']);
    expect(await Promise.all(sawRows)).toEqual([['done']]);
    end();
    await store.write(async (tx) => tx.touch('job:later'));
    expect(heard).toEqual(['job:done']);
  });

  test('a write that is waiting when the store closes is committed, and a later one is refused', async () => {
    const database = await create();
    const store = await database.open();
    const writing = store.write((tx) => note(tx, 'last'));
    await store.close();
    await writing;
    await expect(store.write((tx) => note(tx, 'too late'))).rejects.toThrow();
    expect(await notesOf(await database.open())).toEqual(['last']);
  });

  if (dialect === 'sqlite')
    test('a write that awaits anything but its transaction is undone, and those behind it continue', async () => {
      const store = await open();
      const slow = store.write(async (tx) => {
        await note(tx, 'slow');
        await wait(20);
        await note(tx, 'after the wait');
      });
      const next = store.write((tx) => note(tx, 'next'));
      await expect(slow).rejects.toThrow(/awaited something other/);
      await next;
      await wait(40); // What the slow one does later must find its transaction closed.
      expect(await notesOf(store)).toEqual(['next']);
    });
});
