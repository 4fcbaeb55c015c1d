/**
 * The writes of a transaction that nothing waits for, sent together as one statement.
 *
 * A claim saves a step and a job and inserts an attempt and two events. Of what such a statement
 * costs PostgreSQL, half is the exchange of messages. So they become the parts of one,
 * `with w0 as (update …), w1 as (insert …) select …`, which is sent before the next query of the
 * transaction, or before its commit.
 *
 * The parts do not see each other's changes, and of two that change the same row only one counts.
 * So no two of them write to the same table.
 */
import { fillPlaceholders } from 'drizzle-orm';
import type pg from 'pg';
import type { Numbered, Numbering, Statement } from '../store.ts';

/** A statement as part of another. */
export interface Part {
  readonly name: string;
  readonly text: string;
  /** Constants and placeholders. */
  readonly params: readonly unknown[];
  readonly returnsRows: boolean;
}

interface Write {
  readonly part: Part;
  readonly table: string;
  readonly values: unknown;
  readonly use: ((result: never) => void) | undefined;
}

/** Stands for a value that the write before it returns. */
class Reference {
  readonly column: string;
  readonly plus: number;

  constructor(column: string, plus: number) {
    this.column = column;
    this.plus = plus;
  }
}

/** The combinations of statements in use are few. Others are not prepared. */
const MOST_NAMES = 200;
const names = new Map<string, string>();

export class JointWrites {
  readonly #client: pg.ClientBase;
  readonly #partOf: (query: Statement<never, unknown>) => Part;
  #writes: Write[] = [];

  constructor(client: pg.ClientBase, partOf: (query: Statement<never, unknown>) => Part) {
    this.#client = client;
    this.#partOf = partOf;
  }

  get isEmpty(): boolean {
    return this.#writes.length === 0;
  }

  async add<P, R>(query: Statement<P, R>, values: P, use?: (result: R) => void): Promise<void> {
    await this.#take([this.#writeOf(query, values, use)]);
  }

  async addPair<P, Q>(first: Numbering<P>, second: Numbered<Q>): Promise<void> {
    const values = second.valuesWith((plus) => new Reference(first.returned, plus));
    await this.#take([this.#writeOf(first.query, first.values), this.#writeOf(second.query, values)]);
  }

  /** The transaction is undone. */
  discard(): void {
    this.#writes = [];
  }

  async flush(): Promise<void> {
    const writes = this.#writes;
    this.#writes = [];
    if (writes.length === 0) return;
    const { key, text, values } = join(writes);
    const { rows } = await this.#client.query<unknown[]>({ ...named(key), text, values, rowMode: 'array' });
    let column = 0;
    for (const { use, part } of writes) {
      if (!use) continue;
      const result = rows[0]?.[column++];
      // As the statement alone would answer: its rows, or how many it has changed. Cast: see `add`.
      use((part.returnsRows ? result : { rowCount: result }) as never);
    }
  }

  async #take(writes: readonly Write[]): Promise<void> {
    if (writes.some(({ table }) => this.#writes.some((other) => other.table === table))) await this.flush();
    this.#writes.push(...writes);
  }

  #writeOf<P, R>(query: Statement<P, R>, values: P, use?: (result: R) => void): Write {
    const part = this.#partOf(query as Statement<never, unknown>); // a statement with values of its own type
    const table = /^(?:update|insert into|delete from) "(\w+)"/.exec(part.text)?.[1];
    if (table === undefined) throw new Error(`The statement "${query.name}" does not write.`);
    return { part, table, values, use };
  }
}

function named(key: string): { name?: string } {
  const known = names.get(key);
  if (known === undefined && names.size >= MOST_NAMES) return {};
  const name = known ?? `joint ${names.size}`;
  names.set(key, name);
  return { name };
}

function join(writes: readonly Write[]): { key: string; text: string; values: unknown[] } {
  const values: unknown[] = [];
  const parts: string[] = [];
  const results: string[] = [];
  const keys: string[] = [];
  for (const [i, { part, values: given, use }] of writes.entries()) {
    const params = fillPlaceholders([...part.params], given as Record<string, unknown>); // by the names of the placeholders
    const first = values.length;
    let references = 0;
    const places = params.map((value) => {
      if (!(value instanceof Reference)) return `$${values.push(value)}`;
      references++;
      return `((select ${value.column} from w${i - 1}) + ${value.plus})`;
    });
    const text = part.text.replaceAll(/\$(\d+)/g, (_, n) => places[Number(n) - 1] ?? '');
    parts.push(`w${i} as (${text}${use && !part.returnsRows ? ' returning 1' : ''})`);
    if (use) results.push(part.returnsRows ? `(select coalesce(json_agg(w${i}), '[]') from w${i})` : `(select count(*)::int from w${i})`);
    keys.push(`${part.name} ${values.length - first} ${references} ${use ? 'used' : ''}`);
  }
  return { key: keys.join(), text: `with ${parts.join(', ')} select ${results.join(', ') || '1'}`, values };
}
