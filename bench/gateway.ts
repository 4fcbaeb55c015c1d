/**
 * The gateway as operators run it: on a SQLite file unless a bench names a PostgreSQL, with keys
 * and all limits. Only the rate of a key is set higher than the load can reach.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../bin/program.js';
import { HttpConnection, requestOf } from './http-load.ts';
import { root, type Server, startServer } from './processes.ts';

const ADMIN_KEY = 'tyk_for-benchmarks-alone-0123456789abcdefghijklm';

export interface Gateway {
  readonly server: Server;
  /** A key with every right. */
  readonly key: string;
  /** The data folder. Other processes may read the database while it runs. */
  readonly folder: string;
  readonly database: string;
  /** Runs one operation and returns its data. Throws if it is refused. */
  ask<T>(query: string, variables?: object): Promise<T>;
  /** Stops it, and removes its data unless its folder was given. */
  stop(): Promise<void>;
}

export interface GatewayOptions {
  readonly nodeFlags?: readonly string[];
  /** The checkout to run. Default: this one. */
  readonly checkout?: string;
  /** postgres://…. Default: a SQLite file in its folder. */
  readonly databaseUrl?: string;
  /** A data folder that is kept. Default: an empty one. */
  readonly dataDir?: string;
  /** Whether it takes messages. */
  readonly isAsked?: boolean;
}

/** Starts `trainyard serve`. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const { nodeFlags = [], checkout = root, databaseUrl = '', dataDir, isAsked = false } = options;
  const folder = dataDir ?? mkdtempSync(join(tmpdir(), 'trainyard-bench-'));
  const server = await startServer(findProgram(checkout), ['serve', '--port', '0', '--data-dir', folder], {
    nodeFlags,
    isAsked,
    env: {
      TRAINYARD_ADMIN_KEY: ADMIN_KEY,
      TRAINYARD_HOST: '127.0.0.1',
      TRAINYARD_DATABASE_URL: databaseUrl,
      TRAINYARD_ORIGINS: '',
      // One key asks as fast as it can. Its rate is still counted, with a limit out of reach.
      TRAINYARD_KEY_RATE: '1000000',
      TRAINYARD_KEY_BURST: '10000000',
    },
  });
  return {
    server,
    key: ADMIN_KEY,
    folder,
    database: join(folder, 'trainyard.sqlite'),
    async ask<T>(query: string, variables: object = {}) {
      const connection = await HttpConnection.open(server.port);
      const body = await connection.ask(requestOf({ query, variables }, { key: ADMIN_KEY })).finally(() => connection.close());
      return (JSON.parse(body.toString()) as { data: T }).data; // the caller knows what it asked for
    },
    async stop() {
      await server.stop();
      if (dataDir === undefined) rmSync(folder, { recursive: true });
    },
  };
}
