/** Databases for a run of the chaos tests: a SQLite file in a folder, or a database of its own in a real PostgreSQL that is started for it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { password, user } from '../support/postgres-account.ts';

export type DatabaseKind = 'sqlite' | 'postgres';

export interface PostgresServer {
  readonly port: number;
  /** postgres://… of a new, empty database. */
  create(): Promise<string>;
  /** Ends the server for a while: `fast` as an operator does, `immediate` as a crash. */
  interrupt(how: 'fast' | 'immediate'): Promise<void>;
  resume(): Promise<void>;
  /** While it is interrupted: copies its data; and puts the copy in their place, as a recovery to that moment. */
  copy(): Promise<void>;
  putBack(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a PostgreSQL that is as durable as a real one; it ends with this process, however that ends. */
export async function startPostgres(): Promise<PostgresServer> {
  const file = fileURLToPath(new URL('../support/postgres-keeper.ts', import.meta.url));
  const keeper: ChildProcess = fork(file, ['durable'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
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
