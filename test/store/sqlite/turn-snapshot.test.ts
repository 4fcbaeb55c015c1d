import { statSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Store, statement } from '../../../src/store/store.ts';
import { createSqliteDatabase, type TestDatabase } from '../../support/databases.ts';
import { noteStatements } from '../../support/noted-statements.ts';

const addNote = statement<{ key: string; value: string }, unknown>('test.turns-add-note', (db, t, $) =>
  db.insert(t.meta).values({ key: $('key'), value: $('value') }),
);
const readKeys = statement<object, { key: string }[]>('test.turns-read-keys', (db, t) => db.select({ key: t.meta.key }).from(t.meta));

describe('Reads of a SQLite store', () => {
  const notes: string[] = [];
  let stopNoting: () => void;
  let database: TestDatabase;
  let store: Store;
  beforeEach(async () => {
    stopNoting = noteStatements(notes);
    database = await createSqliteDatabase();
    store = await database.open();
  });
  afterEach(async () => {
    stopNoting();
    await database.remove();
  });

  const read = async (): Promise<string[]> => (await store.read.run(readKeys, {})).map(({ key }) => key);
  const isReading = (text: string) => /^(begin|commit)$/i.test(text);

  test('share a transaction in each turn of the event loop, and hold none between turns', async () => {
    await turn();
    notes.length = 0;
    await Promise.all([read(), read()]);
    await read();
    expect(notes.filter(isReading)).toEqual(['BEGIN']);
    await turn();
    expect(notes.filter(isReading)).toEqual(['BEGIN', 'COMMIT']);
    await read();
    await turn();
    expect(notes.filter(isReading)).toEqual(['BEGIN', 'COMMIT', 'BEGIN', 'COMMIT']);
  });

  test('see a commit also in the turn in which others read before it', async () => {
    const before = await store.write(async (tx) => {
      await tx.run(addNote, { key: 'new', value: '' });
      return read();
    });
    expect(before).not.toContain('new');
    expect(await read()).toContain('new');
  });

  test('do not keep the WAL from being begun anew', async () => {
    const value = 'x'.repeat(100_000);
    for (let i = 0; i < 200; i++) {
      await store.write(async (tx) => {
        await tx.run(addNote, { key: `note ${i}`, value });
        await read();
      });
    }
    // It is begun anew once it has 1,000 pages.
    expect(statSync(`${database.file}-wal`).size).toBeLessThan(8_000_000);
  });
});
