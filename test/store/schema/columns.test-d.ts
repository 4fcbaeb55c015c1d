/**
 * The cast of the PostgreSQL kit to the SQLite kit's type is right: a table with every kind of
 * column, made with each kit, yields the same TypeScript type. Checked by the compiler, never run.
 */
import type { PostgresColumns, sqliteKit } from '../../../src/store/schema/columns.ts';

type SqliteKit = typeof sqliteKit;
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;

interface Document {
  readonly a: string;
  readonly b: readonly number[];
}

/**
 * The body is written twice: a generic over both kits would need the very cast that is tested here.
 */
export function tablesOf(sqlite: SqliteKit, postgres: PostgresColumns) {
  const lite = sqlite.table('every', {
    text: sqlite.text(),
    textNotNull: sqlite.text().notNull(),
    oneOf: sqlite.oneOf(['A', 'B']),
    oneOfNotNull: sqlite.oneOf(['A', 'B']).notNull(),
    int: sqlite.int(),
    intNotNull: sqlite.int().notNull(),
    long: sqlite.long(),
    longNotNull: sqlite.long().notNull(),
    real: sqlite.real(),
    realNotNull: sqlite.real().notNull(),
    bool: sqlite.bool(),
    boolNotNull: sqlite.bool().notNull(),
    instant: sqlite.instant(),
    instantNotNull: sqlite.instant().notNull(),
    json: sqlite.json<Document>(),
    jsonNotNull: sqlite.json<Document>().notNull(),
    document: sqlite.document<Document>(),
    documentNotNull: sqlite.document<Document>().notNull(),
    longJson: sqlite.longJson<Document>(),
    longJsonNotNull: sqlite.longJson<Document>().notNull(),
  });
  const pg = postgres.table('every', {
    text: postgres.text(),
    textNotNull: postgres.text().notNull(),
    oneOf: postgres.oneOf(['A', 'B']),
    oneOfNotNull: postgres.oneOf(['A', 'B']).notNull(),
    int: postgres.int(),
    intNotNull: postgres.int().notNull(),
    long: postgres.long(),
    longNotNull: postgres.long().notNull(),
    real: postgres.real(),
    realNotNull: postgres.real().notNull(),
    bool: postgres.bool(),
    boolNotNull: postgres.bool().notNull(),
    instant: postgres.instant(),
    instantNotNull: postgres.instant().notNull(),
    json: postgres.json<Document>(),
    jsonNotNull: postgres.json<Document>().notNull(),
    document: postgres.document<Document>(),
    documentNotNull: postgres.document<Document>().notNull(),
    longJson: postgres.longJson<Document>(),
    longJsonNotNull: postgres.longJson<Document>().notNull(),
  });
  return { lite, pg };
}

type Lite = ReturnType<typeof tablesOf>['lite'];
type Pg = ReturnType<typeof tablesOf>['pg'];

// Selected and inserted types are the same.
holds<Equal<Lite['$inferSelect'], Pg['$inferSelect']>>();
holds<Equal<Lite['$inferInsert'], Pg['$inferInsert']>>();
// It is the real type, not `any` on both sides.
holds<Equal<Lite['$inferSelect']['instant'], Date | null>>();
holds<Equal<Lite['$inferSelect']['boolNotNull'], boolean>>();
holds<Equal<Lite['$inferSelect']['jsonNotNull'], Document>>();
holds<Equal<Lite['$inferSelect']['oneOfNotNull'], 'A' | 'B'>>();
holds<Equal<Lite['$inferSelect']['longNotNull'], number>>();
// Both kits have the same members, and every kind of column is in the tables above.
holds<Equal<keyof SqliteKit, keyof PostgresColumns>>();
type KindsOfColumns = Exclude<keyof SqliteKit, 'table' | 'index' | 'unique' | 'check' | 'primaryKey' | 'onlySqlite'>;
holds<Equal<KindsOfColumns | `${KindsOfColumns}NotNull`, keyof Lite['$inferSelect']>>();
