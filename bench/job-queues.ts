/**
 * Job queues to measure claims against: graphile-worker on a durable PostgreSQL, and BullMQ on a
 * Redis that syncs each write. Their processor time includes that of their databases.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../test/chaos/databases.ts';
import { onServerCore, pinToServerCore } from './cores.ts';
import { HttpConnection, requestOf } from './http-load.ts';
import { cpuSecondsOf, cpuSecondsOfAll, startServer } from './processes.ts';
import type { Contestant } from './rounds.ts';

export interface JobQueue {
  readonly contestant: Contestant;
  stop(): Promise<void>;
}

/** Jobs beyond what a round is expected to take. */
const SPARE = 2;

/** `batch`: how many jobs it takes from the database at once. */
export async function startGraphileWorker({ concurrency, batch }: { concurrency: number; batch: number }): Promise<JobQueue> {
  const database = await startPostgres();
  const url = await database.create();
  const postmaster = await postmasterOf(url);
  pinToServerCore(postmaster);
  const name = batch > 1 ? `graphile-worker, ${batch} at once` : 'graphile-worker';
  return contestantOf(name, ['bench/peers/graphile.js', url, String(concurrency), String(batch)], {
    cpuSeconds: () => cpuSecondsOfAll(postmaster),
    stop: () => database.stop(),
  });
}

/** The process that all others of a PostgreSQL are children of. */
export async function postmasterOf(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ data_directory: string }>('show data_directory');
  await client.end();
  const [pid] = readFileSync(join(rows[0]?.data_directory ?? '', 'postmaster.pid'), 'utf8').split('\n');
  return Number(pid);
}

/** Null on a machine without a `redis-server`. */
export async function startBullMq({ concurrency }: { concurrency: number }): Promise<JobQueue | null> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return null;
  const folder = mkdtempSync(join(tmpdir(), 'trainyard-bench-redis-'));
  const port = await freePort();
  const [program = '', ...flags] = [
    ...[...onServerCore, 'redis-server', '--bind', '127.0.0.1', '--port', String(port), '--dir', folder],
    ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--maxmemory-policy', 'noeviction'],
  ];
  const redis = spawn(program, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => redis.kill('SIGKILL'));
  await untilReady(redis);
  return contestantOf('BullMQ', ['bench/peers/bullmq.js', String(port), String(concurrency)], {
    cpuSeconds: () => cpuSecondsOf(redis.pid),
    async stop() {
      const ended = new Promise((resolve) => redis.once('exit', resolve));
      redis.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true });
    },
  });
}

interface DatabaseOf {
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** A peer that prepares jobs and works on them when it is asked to. */
async function contestantOf(name: string, [file = '', ...args]: readonly string[], database: DatabaseOf): Promise<JobQueue> {
  const server = await startServer(file, args);
  const connection = await HttpConnection.open(server.port);
  const ask = async (body: object): Promise<unknown> => JSON.parse((await connection.ask(requestOf(body, { path: '/' }))).toString());
  let stored = 0;
  let perMs = 2;
  return {
    contestant: {
      name,
      server: { ...server, cpuSeconds: () => server.cpuSeconds() + database.cpuSeconds() },
      async prepare(ms) {
        const count = Math.ceil(perMs * ms * SPARE) + 100 - stored;
        if (count > 0) await ask({ count });
        stored += Math.max(count, 0);
      },
      async run(ms) {
        const done = (await ask({ ms })) as { count: number; seconds: number }; // as the peers answer
        perMs = Math.max(perMs, done.count / ms);
        stored -= done.count;
        return done;
      },
    },
    async stop() {
      connection.close();
      await server.stop();
      await database.stop();
    },
  };
}

function untilReady(redis: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    redis.stdout?.on('data', (text) => String(text).includes('Ready to accept connections') && resolve());
    redis.once('exit', () => reject(new Error('Redis did not start.')));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo; // it listens on a port
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
