/**
 * scale-out: what gateways cost the PostgreSQL that they share.
 *
 * One gateway, then three, on a real and durable PostgreSQL. Six clients create jobs of one step,
 * then claim and complete them, one request each. Statements are counted by pg_stat_statements,
 * with BEGIN and COMMIT; transactions by pg_stat_database, where each read of its own is one, and
 * each wake-up of a gateway that listens; the processor time is that of all of PostgreSQL's
 * processes. What gateways do anyway, idle, is measured first and taken off.
 */
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { startPostgres } from '../test/chaos/databases.ts';
import { CLAIM, COMPLETE, registerDevice, requirePayload, tokenIn } from './claims.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type HttpConnection, openConnections, requestOf } from './http-load.ts';
import { postmasterOf } from './job-queues.ts';
import { createJobRequest, createProject } from './jobs.ts';
import { cpuSecondsOfAll, root } from './processes.ts';

const CLIENTS = 6;
const WARM_UP = 240;
const OPERATIONS = 900;
const IDLE_MS = 15_000;
/** An idle connection reports its transactions to PostgreSQL's statistics within 10 s. */
const SETTLE_MS = 11_000;

interface Counts {
  readonly at: number;
  readonly statements: number;
  readonly transactions: number;
  readonly cpuMs: number;
}

/** Per operation, or per second when idle. */
interface Cost {
  readonly statements: number;
  readonly transactions: number;
  readonly cpuMs: number;
}

interface Costs {
  readonly checkout: string;
  readonly gateways: number;
  readonly claim: Cost;
  readonly create: Cost;
  readonly idle: Cost;
  readonly startCpuSeconds: number;
}

/** `listsStatements`: also how often each statement runs. */
export async function benchScaleOut(checkouts: readonly string[], { listsStatements }: { listsStatements: boolean }): Promise<string> {
  const server = await startPostgres(['shared_preload_libraries=pg_stat_statements', 'pg_stat_statements.max=10000']);
  try {
    const costs: Costs[] = [];
    const lists: string[] = [];
    for (const checkout of checkouts) {
      for (const gateways of [1, 3]) {
        const { list, ...cost } = await measure({ checkout, databaseUrl: await server.create() }, gateways);
        costs.push(cost);
        lists.push(`${nameOf(cost)}\n${list}`);
      }
    }
    return [describe(costs), ...(listsStatements ? lists : [])].join('\n\n');
  } finally {
    await server.stop();
  }
}

async function measure(
  where: { readonly checkout: string; readonly databaseUrl: string },
  count: number,
): Promise<Costs & { readonly list: string }> {
  const watch = await Watch.open(where.databaseUrl);
  const gateways: Gateway[] = [];
  try {
    // It makes the tables, which is no part of what a start costs.
    await (await startGateway(where)).stop();
    const startCpu: number[] = [];
    for (let i = 0; i < count; i++) {
      const gateway = await startGateway(where);
      gateways.push(gateway);
      startCpu.push(gateway.server.cpuSeconds());
    }
    const [first] = gateways;
    if (!first) throw new Error('There is a gateway.');
    const projectId = await createProject(first);
    const clients = await openClients(gateways, projectId);
    const createJob = createJobRequest(first.key, projectId, 1);
    const create = async ({ connection }: Client) => requirePayload(await connection.ask(createJob), 'job_');
    await repeat(clients, WARM_UP, create);
    await repeat(clients, WARM_UP, claimAndComplete);
    await analyze(where.databaseUrl);

    await pause(SETTLE_MS);
    await watch.reset();
    const atRest = await watch.counts();
    await pause(IDLE_MS);
    const idle = perSecond(atRest, await watch.counts());
    const idleList = await watch.list(IDLE_MS / 1_000);
    const creation = await watch.during(idle, () => repeat(clients, OPERATIONS, create));
    await watch.reset();
    let list = `At rest, a second:\n${idleList}\n`;
    const claim = await watch.during(idle, async () => {
      await repeat(clients, OPERATIONS, claimAndComplete);
      list += `For each step:\n${await watch.list(OPERATIONS)}`;
    });
    for (const { connection } of clients) connection.close();
    return { checkout: where.checkout, gateways: count, claim, create: creation, idle, startCpuSeconds: Math.max(...startCpu), list };
  } finally {
    await watch.close();
    for (const gateway of gateways) await gateway.stop();
  }
}

/**
 * As autovacuum does within a minute. Until then, PostgreSQL plans for tables of which it knows
 * nothing.
 */
async function analyze(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('analyze');
  await client.end();
}

interface Client {
  readonly connection: HttpConnection;
  readonly key: string;
}

/** Each with a device of its own, in turns at the gateways. */
async function openClients(gateways: readonly Gateway[], projectId: string): Promise<Client[]> {
  const clients: Client[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const gateway = gateways[i % gateways.length];
    if (!gateway) break;
    const key = await registerDevice(gateway, projectId, `bench-${i}`);
    for (const connection of await openConnections(gateway.server.port, 1)) clients.push({ connection, key });
  }
  return clients;
}

async function claimAndComplete({ connection, key }: Client): Promise<void> {
  const leaseToken = tokenIn(await connection.ask(requestOf({ query: CLAIM }, { key })));
  requirePayload(await connection.ask(requestOf({ query: COMPLETE, variables: { leaseToken } }, { key })), 'SUCCEEDED');
}

async function repeat(clients: readonly Client[], times: number, turn: (client: Client) => Promise<void>): Promise<void> {
  let left = times;
  await Promise.all(
    clients.map(async (client) => {
      while (left-- > 0) await turn(client);
    }),
  );
}

/** Counts on a database of its own, so that nothing of it is counted. */
class Watch {
  readonly #client: pg.Client;
  readonly #database: string;
  readonly #pid: number;

  private constructor(client: pg.Client, database: string, pid: number) {
    this.#client = client;
    this.#database = database;
    this.#pid = pid;
  }

  static async open(databaseUrl: string): Promise<Watch> {
    const url = new URL(databaseUrl);
    const database = url.pathname.slice(1);
    url.pathname = '/postgres';
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    await client.query('create extension if not exists pg_stat_statements');
    return new Watch(client, database, await postmasterOf(databaseUrl));
  }

  async counts(): Promise<Counts> {
    const at = performance.now();
    const cpuMs = cpuSecondsOfAll(this.#pid) * 1_000;
    const { rows } = await this.#client.query(
      `select (select sum(calls) from pg_stat_statements as s where s.dbid = d.datid)::float8 as statements,
         (d.xact_commit + d.xact_rollback)::float8 as transactions
       from pg_stat_database as d where d.datname = $1`,
      [this.#database],
    );
    return { at, cpuMs, statements: Number(rows[0].statements), transactions: Number(rows[0].transactions) };
  }

  reset(): Promise<unknown> {
    return this.#client.query('select pg_stat_statements_reset()');
  }

  /** What the work cost for each operation, without what gateways do when they are idle. */
  async during(idle: Cost, work: () => Promise<void>): Promise<Cost> {
    const before = await this.counts();
    await work();
    const after = await this.counts();
    // Only the transactions are not yet counted.
    await pause(SETTLE_MS);
    const settled = await this.counts();
    const seconds = (after.at - before.at) / 1_000;
    const all = (settled.at - before.at) / 1_000;
    return {
      statements: (after.statements - before.statements - idle.statements * seconds) / OPERATIONS,
      transactions: (settled.transactions - before.transactions - idle.transactions * all) / OPERATIONS,
      cpuMs: (after.cpuMs - before.cpuMs - idle.cpuMs * seconds) / OPERATIONS,
    };
  }

  /** The statements of the work since the last reset. */
  async list(operations: number): Promise<string> {
    const { rows } = await this.#client.query(
      `select s.calls / $2::float8 as times, s.total_exec_time / $2::float8 as ms, regexp_replace(s.query, '\\s+', ' ', 'g') as text
       from pg_stat_statements as s join pg_database as d on d.oid = s.dbid where d.datname = $1 and s.calls >= $2 / 50 order by s.calls desc`,
      [this.#database, operations],
    );
    return rows
      .map(
        ({ times, ms, text }) => `  ${Number(times).toFixed(2).padStart(6)} × ${Number(ms).toFixed(3)} ms  ${String(text).slice(0, 160)}`,
      )
      .join('\n');
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}

function perSecond(from: Counts, to: Counts): Cost {
  const seconds = (to.at - from.at) / 1_000;
  return {
    statements: (to.statements - from.statements) / seconds,
    transactions: (to.transactions - from.transactions) / seconds,
    cpuMs: (to.cpuMs - from.cpuMs) / seconds,
  };
}

function nameOf({ checkout, gateways }: Costs): string {
  return `${gateways === 1 ? '1 gateway' : `${gateways} gateways`}${checkout === root ? '' : ` of ${basename(checkout)}`}`;
}

function describe(costs: readonly Costs[]): string {
  const row = (name: string, goal: string, figure: (cost: Costs) => string) => [name, ...costs.map(figure), goal];
  const rows = [
    ['scale-out', ...costs.map(nameOf), 'goal'],
    row('claim + complete: statements', '≤ 12', ({ claim }) => claim.statements.toFixed(1)),
    row('  transactions', '≤ 3, flat', ({ claim }) => claim.transactions.toFixed(1)),
    row('  PostgreSQL’s cpu', '≤ 1 ms', ({ claim }) => `${claim.cpuMs.toFixed(2)} ms`),
    row('createJob: statements', '', ({ create }) => create.statements.toFixed(1)),
    row('  transactions', '≤ 2, flat', ({ create }) => create.transactions.toFixed(1)),
    row('  PostgreSQL’s cpu', '', ({ create }) => `${create.cpuMs.toFixed(2)} ms`),
    row('idle, a second: statements', '≤ 5 in all', ({ idle }) => idle.statements.toFixed(1)),
    row('  PostgreSQL’s cpu', '', ({ idle }) => `${idle.cpuMs.toFixed(1)} ms`),
    row('start: cpu of the gateway', '< 1 s', ({ startCpuSeconds }) => `${startCpuSeconds.toFixed(2)} s`),
  ];
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((cells) => cells[i]?.length ?? 0))) ?? [];
  return rows
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
