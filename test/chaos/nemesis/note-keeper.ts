/**
 * The store alone in its own process. It writes notes until it is killed and prints the key of each
 * committed one, or it prints the keys that it reads and waits. `node note-keeper.ts write|read
 * FILE PREFIX`
 */
import { setTimeout as pause } from 'node:timers/promises';
import { openSqlite } from '../../../src/store/sqlite/store.ts';

const [what, file = '', prefix = ''] = process.argv.slice(2);
const store = await openSqlite(file);
if (what === 'write') {
  for (let i = 0; ; i++) {
    const key = `${prefix}-${i}`;
    await store.write(async ({ db, t }) => db.insert(t.meta).values({ key, value: 'a note' }));
    process.stdout.write(`${key}\n`);
  }
}
const kept = await store.read.db.select().from(store.tables.meta);
for (const { key } of kept) process.stdout.write(`${key}\n`);
process.stdout.write('.\n');
await pause(60_000);
