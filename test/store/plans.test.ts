/**
 * No query scans a table that grows with jobs. The databases' own planners are asked, for every
 * query of the store.
 */
import { readdirSync } from 'node:fs';
import SqliteDatabase from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { placeholder } from '../../src/store/statements/prepared.ts';
import { type Numbered, type Numbering, type Placeholder, type Statement, statements, type Tx } from '../../src/store/store.ts';
import { createSqliteDatabase, describeOnEachStore } from '../support/databases.ts';
import { calls } from './calls.ts';
import { openPlanner, type Planner } from './plans.ts';

const modules = await Promise.all(
  ['changes', 'queries', 'statements'].flatMap((name) => {
    const folder = new URL(`../../src/store/${name}/`, import.meta.url);
    return readdirSync(folder).map((file): Promise<Record<string, unknown>> => import(new URL(file, folder).href));
  }),
);

const ofModules = [...statements.values()];

/** Queries that may scan a table, by name, with the reason. */
const exceptions: readonly (readonly [RegExp, string])[] = [
  [/^tally (queued steps|unfinished jobs)$/, 'Asked by /metrics alone: counts in an index what is not over, in the thread for walks.'],
  [/^count(Jobs|Claimable|AuditEntries|ApiKeys)\b/, 'A total counts what it totals, in the thread for walks.'],
  [/^countJobsBy (STATUS|TYPE)$/, 'The same, in indexes.'],
  [/^listJobs CREATED_AT statuses\b/, 'The jobs of a status, in the order of their index, until the page is full.'],
  [
    /^listJobs (?!CREATED_AT)\w+ (statuses|types|initiators|nameContains|search)\b/,
    'Collects ids in the thread for walks, step by step. There are more in no step than its size.',
  ],
  [
    /^listJobs (STARTED_AT|FINISHED_AT|DURATION)\b/,
    'Looks at the first jobs that have a value, in the order of their index. The rest is collected as above.',
  ],
  [/^any queued step$/, 'Reads one entry of an index of what is queued.'],
  [/^(silent or back|anything due)$/, 'Compares each device with its newest change: there are a few thousand at most.'],
  [/^running attempts of devices x64$/, 'PostgreSQL merges what devices hold with all attempts as long as those are few.'],
];

describeOnEachStore('the plan of a query', (_open, create) => {
  let planner: Planner;
  beforeAll(async () => {
    planner = await openPlanner(await create());
  });
  afterAll(() => planner.close());

  test('reads no table whole that grows with jobs, except where a reason is given (P19)', async () => {
    const found = new Map<string, string[]>();
    const note = async (name: string, text: string) => {
      const whole = await planner.readsWhole(text);
      if (whole.length > 0) found.set(name, [...(found.get(name) ?? []), ...whole]);
    };
    for (const statement of ofModules) await note(statement.name, textOf(planner, statement).sql);
    const { queries } = planner;
    const tx: Tx = Object.assign(queries, {
      touch() {},
      runLater: async <P, R>(query: Statement<P, R>, values: P) => void (await queries.run(query, values)),
      runPairLater: async <P, Q>({ query, values }: Numbering<P>, second: Numbered<Q>) => {
        await queries.run(query, values);
        await queries.run(
          second.query,
          second.valuesWith((plus) => plus),
        );
      },
    });
    for (const { name, run } of calls) {
      await run(tx);
      const texts = planner.noted();
      expect(texts, name).not.toEqual([]);
      for (const text of texts) await note(name, text);
    }
    const unexplained = [...found].filter(([name]) => !exceptions.some(([pattern]) => pattern.test(name)));
    expect(Object.fromEntries(unexplained)).toEqual({});
  });

  test('is asked for every function that builds its queries when it is called', () => {
    const building = modules.flatMap((module) =>
      Object.entries(module).filter(([, value]) => typeof value === 'function' && /\bdb\b|\brunShaped\b/.test(String(value))),
    );
    const called = new Set(calls.map(({ name }) => name.split(' ')[0]));
    const makers = [
      'selectAlong',
      'idsNewestFirst',
      'countById',
      'insertOf',
      'batch',
      'batchOfPairs',
      'runShaped',
      'PreparedStatements',
      'WeighedReads',
    ];
    expect(building.map(([name]) => name).filter((name) => !called.has(name) && !makers.includes(name))).toEqual([]);
  });

  test('can use partial indexes: no word of a condition is a parameter', () => {
    const bound = ofModules.flatMap((statement) => {
      const { sql, params } = textOf(planner, statement);
      const before = [...(sql.split(' where ')[0] ?? '').matchAll(/\?|\$\d+/g)].length;
      return params
        .slice(before)
        .filter((value) => typeof value === 'string' || typeof value === 'boolean')
        .map((value) => `${statement.name}: ${value}`);
    });
    expect(bound).toEqual([]);
  });
});

/** With the values that are part of the text. Those given at each run are placeholders. */
function textOf({ queries: { db, t, dialect } }: Planner, statement: Statement<never, unknown>): { sql: string; params: unknown[] } {
  // Cast: every builder of Drizzle's has it.
  return (
    statement.build(db, t, placeholder as Placeholder<never>, dialect) as unknown as { toSQL(): { sql: string; params: unknown[] } }
  ).toSQL();
}

test('the removal of a row finds the rows that refer to it by an index', async () => {
  const database = await createSqliteDatabase();
  await (await database.open()).close();
  const file = new SqliteDatabase(database.file, { readonly: true });
  const missing = file
    .prepare<[], { table: string; column: string }>(
      `select m.name as "table", f."from" as "column" from sqlite_schema m, pragma_foreign_key_list(m.name) f
       where m.type = 'table' and not exists (
         select 1 from pragma_index_list(m.name) i, pragma_index_info(i.name) c where c.seqno = 0 and c.name = f."from" and not i.partial)`,
    )
    .all();
  file.close();
  await database.remove();
  expect(missing).toEqual([]);
});
