/**
 * Reads for one answer. A page of rows can have hundreds of megabytes of JSON, which would hold the
 * event loop for seconds.
 *
 * - Before a statement reads documents, the database sums their sizes. What an answer has no room
 *   for is never read.
 * - Documents that are shown whole are not parsed: they stay the text that is stored.
 */
import { Column, is, sql } from 'drizzle-orm';
import { JsonText } from '../../text/json-text.ts';
import { isDocument, isLongJson } from '../schema/columns.ts';
import type { Database, Dialect, Placeholder, Preparable, Queries, Statement } from '../store.ts';
import { placeholder } from './prepared.ts';

/** A row in memory, and its part of the answer. */
const ROW_BYTES = 1_024;
/** To parse JSON and write it again takes several times as long as to copy it. */
const TIMES_PARSED = 4;

/** What an answer has room for. */
export interface Room {
  readonly bytes: number;
  /** Takes from it. Throws when there is too little. */
  take(bytes: number): void;
}

type Sum = readonly { readonly bytes: number | string }[];

/** The two statements that are run for one with documents. */
interface Forms {
  readonly sizes: Statement<never, Sum>;
  readonly texts: Statement<never, unknown>;
  /** The properties of a row that are documents. */
  readonly documents: readonly string[];
}

/** By the name of the statement. Null: it selects no documents. */
const formsByName = new Map<string, Forms | null>();

export class WeighedReads implements Queries {
  readonly #inner: Queries;
  readonly #room: Room;
  readonly #areTexts: boolean;

  /** `areTexts`: documents are JsonText, not parsed. */
  constructor(inner: Queries, { room, areTexts }: { readonly room: Room; readonly areTexts: boolean }) {
    this.#inner = inner;
    this.#room = room;
    this.#areTexts = areTexts;
  }

  get db(): Database {
    return this.#inner.db;
  }
  get t(): Queries['t'] {
    return this.#inner.t;
  }
  get dialect(): Dialect {
    return this.#inner.dialect;
  }
  /** Not weighed: they answer with ids and counts. */
  get walks(): Queries | undefined {
    return this.#inner.walks;
  }
  get mostRows(): number {
    // A refused field has taken more than there was.
    return Math.max(0, Math.floor(this.#room.bytes / ROW_BYTES)) + 1;
  }

  async run<P, R>(query: Statement<P, R>, values: P): Promise<R> {
    const forms = this.#formsOf(query);
    if (!forms) {
      const rows = await this.#inner.run(query, values);
      if (query.isList && Array.isArray(rows)) this.#room.take(rows.length * ROW_BYTES);
      return rows;
    }
    // Casts: the forms have the statement's own placeholders, and rows with its properties.
    this.#take(await this.#inner.run(forms.sizes, values as never));
    if (!this.#areTexts || forms.documents.length === 0) return this.#inner.run(query, values);
    return asTexts(await this.#inner.run(forms.texts, values as never), forms.documents) as R;
  }

  async runUnnamed<R>(build: () => Preparable<R>): Promise<R> {
    const sizes = selectSizes(build(), this.#inner);
    if (!sizes) return this.#inner.runUnnamed(build);
    this.#take(await sizes);
    const { query, documents } = selectTexts(build(), this.#inner);
    return this.#areTexts ? (asTexts(await query, documents) as R) : this.#inner.runUnnamed(build);
  }

  #take([sum]: Sum): void {
    this.#room.take(Number(sum?.bytes ?? 0));
  }

  #formsOf<P>({ name, build, isList }: Statement<P, unknown>): Forms | null {
    const known = formsByName.get(name);
    if (known !== undefined) return known;
    const rebuilt =
      <Q>(change: (query: Preparable<unknown>, on: Pick<Queries, 'db' | 'dialect'>) => Q) =>
      (db: Database, t: Queries['t'], $: Placeholder<never>, dialect: Dialect): Q =>
        change(build(db, t, $, dialect), { db, dialect });
    const here = [this.db, this.t, placeholder as Placeholder<never>, this.dialect] as const;
    const sizes = rebuilt(selectSizes);
    const texts = rebuilt(selectTexts);
    // PostgreSQL keeps 63 bytes of a name. The number tells those apart that are cut.
    const named = (kind: string) => ({ name: `${kind} ${formsByName.size} ${name}`.slice(0, 63), isList });
    const forms: Forms | null =
      sizes(...here) === null
        ? null
        : {
            sizes: { ...named('sizes'), isList: false, build: sizes as Forms['sizes']['build'] }, // not null: see above
            texts: { ...named('texts'), build: (...on) => texts(...on).query },
            documents: texts(...here).documents,
          };
    formsByName.set(name, forms);
    return forms;
  }
}

/** The columns that a SELECT of Drizzle's reads. Its types do not expose them. */
interface Select extends Preparable<unknown> {
  config?: { fields?: Record<string, unknown> };
  as(alias: string): never;
}

const columnsOf = ({ config }: Select): [string, Column][] =>
  Object.entries(config?.fields ?? {}).filter((field): field is [string, Column] => is(field[1], Column));

/** The bytes of all long JSON in the rows that the query selects. Null: it selects none. */
function selectSizes(query: Preparable<unknown>, { db, dialect }: Pick<Queries, 'db' | 'dialect'>): Preparable<Sum> | null {
  const select = query as Select; // a statement that changes rows has no columns
  const sizes = columnsOf(select).flatMap(([, column]) => {
    const times = isDocument(column) ? 1 : TIMES_PARSED;
    return isDocument(column) || isLongJson(column) ? [sql`coalesce(${dialect.bytes(column)}, 0) * ${sql.raw(String(times))}`] : [];
  });
  if (!select.config || sizes.length === 0) return null;
  select.config.fields = { bytes: sql<number>`${sql.join(sizes, sql` + `)}`.as('bytes') };
  return db.select({ bytes: sql<number | string>`coalesce(sum(bytes), 0)` }).from(select.as('found'));
}

/** The same query, with documents as text. */
function selectTexts(
  query: Preparable<unknown>,
  { dialect }: Pick<Queries, 'dialect'>,
): { query: Preparable<unknown>; documents: string[] } {
  const select = query as Select; // as above
  const documents = columnsOf(select).filter(([, column]) => isDocument(column));
  const texts = documents.map(([name, column]) => [name, dialect.text(column)]);
  if (select.config) select.config.fields = { ...select.config.fields, ...Object.fromEntries(texts) };
  return { query: select, documents: documents.map(([name]) => name) };
}

function asTexts(rows: unknown, documents: readonly string[]): unknown {
  for (const row of rows as Record<string, unknown>[]) {
    for (const name of documents) {
      const text = row[name];
      if (typeof text === 'string') row[name] = new JsonText(text);
    }
  }
  return rows;
}
