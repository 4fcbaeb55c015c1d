/**
 * Writes notes until it is killed, ten at a time, and reports each answer to its parent. `fork` it
 * with a SQLite file or a PostgreSQL URL.
 */
import { openPostgres } from '../../src/store/postgres/store.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';

const [place = '', prefix = ''] = process.argv.slice(2);
const store = await (place.startsWith('postgres:') ? openPostgres(place) : openSqlite(place));
process.once('disconnect', () => process.exit());

async function writeOn(lane: number): Promise<never> {
  for (let i = 0; ; i++) {
    const key = `${prefix}-${lane}-${i}`;
    await store.write(async ({ db, t }) => {
      await db.insert(t.meta).values({ key, value: 'first half' });
      await db.insert(t.streams).values({ jobId: key, kind: 'log', last: i, first: 1 });
    });
    process.send?.(key);
  }
}
await Promise.all(Array.from({ length: 10 }, (_, lane) => writeOn(lane)));
