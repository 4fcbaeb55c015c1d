/**
 * Databases for a chaos run: a SQLite file in a folder, or a database in a real PostgreSQL that is
 * started for the run.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { password, user } from '../support/postgres-account.ts';

export type DatabaseKind = 'sqlite' | 'postgres';

export interface PostgresServer {
  readonly port: number;
  /** postgres://… of a new, empty database. */
  create(): Promise<string>;
  /** Stops the server for a while: `fast` like an operator, `immediate` like a crash. */
  interrupt(how: 'fast' | 'immediate'): Promise<void>;
  resume(): Promise<void>;
  /**
   * While it is stopped: copies its data, or restores the copy, as in a recovery to that moment.
   */
  copy(): Promise<void>;
  putBack(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL with full durability. It ends with this process, however that ends.
 * `settings`: `NAME=VALUE`.
 */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const file = fileURLToPath(new URL('../support/postgres-keeper.ts', import.meta.url));
  const keeper: ChildProcess = fork(file, ['durable', ...settings], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const answer = await new Promise<string>((resolve) => {
    keeper.once('message', (message) => resolve(String(message)));
    keeper.once('exit', (code) => resolve(`The keeper of PostgreSQL ended with ${code}.`));
  });
  if (!/^\d+$/.test(answer)) throw new Error(answer);
  const port = Number(answer);
  const urlOf = (name: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${name}`;
  let count = 0;
  const tell = async (message: string) => {
    const done = new Promise((resolve) => keeper.once('message', resolve));
    keeper.send(message);
    await done;
  };
  return {
    port,
    async create() {
      const name = `chaos_${++count}`;
      const client = new pg.Client({ connectionString: urlOf('postgres') });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return urlOf(name);
    },
    interrupt: (how) => tell(how),
    resume: () => tell('start'),
    copy: () => tell('copy'),
    putBack: () => tell('put back'),
    async stop() {
      if (keeper.exitCode !== null || keeper.signalCode !== null) return;
      const ended = new Promise((resolve) => keeper.once('exit', resolve));
      keeper.disconnect();
      await ended;
    },
  };
}
