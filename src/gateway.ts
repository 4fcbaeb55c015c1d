/** A gateway: store, domain, realtime, schema and server, started in this order and stopped in reverse. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Aggregator, startAggregator } from './aggregator/aggregator.ts';
import { inspectModel } from './aggregator/threads.ts';
import type { Config } from './config/settings.ts';
import { createDomain, type Domain } from './domain/domain.ts';
import { watchKey } from './domain/key-ends.ts';
import { authenticate } from './domain/keys.ts';
import { keepRetention } from './domain/retention.ts';
import { forgiveOutage, keepTime } from './domain/timekeeping.ts';
import { Wakeups } from './realtime/wakeups.ts';
import { createContext } from './schema/context.ts';
import { schema } from './schema/index.ts';
import type { ServerParts } from './server/app.ts';
import { fragmentDoor } from './server/files.ts';
import { startServer } from './server/http.ts';
import { writeLog } from './server/log.ts';
import { Rates } from './server/rates.ts';
import { FileStore } from './store/files.ts';
import { openPostgres } from './store/postgres.ts';
import { openSqlite } from './store/sqlite.ts';
import type { Store } from './store/store.ts';

export interface Gateway {
  readonly url: string;
  readonly domain: Domain;
  /** Stops within so many milliseconds: asks clients to come back, ends what is left, closes the store. */
  close(graceMs: number): Promise<void>;
}

/** SIGTERM to exit within 15 s (P11), the store's closing included. */
export const STOP_GRACE_MS = 10_000;

export async function startGateway(config: Config): Promise<Gateway> {
  const { dataDir, databaseUrl } = config.store;
  requireWritable(dataDir);
  const store = databaseUrl ? await openPostgres(databaseUrl) : await openSqlite(join(dataDir, 'trainyard.sqlite'));
  try {
    return await serve(config, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function serve({ doors, store: { dataDir }, company, limits, work, retention }: Config, store: Store): Promise<Gateway> {
  const files = new FileStore(join(dataDir, 'fragments'));
  if (store.isFirst) files.sweep();
  const domain = createDomain({ store, files, models: { inspect: inspectModel }, limits: work });
  if (store.isFirst) await forgiveOutage(domain);
  const wakeups = new Wakeups(store);
  const stopTime = keepTime(domain, (error) =>
    writeLog({ level: 'error', message: 'The sweep failed; the next one tries again.', error: String(error) }),
  );
  const stopRetention = keepRetention(domain, retention, (error) =>
    writeLog({ level: 'error', message: 'Retention failed; the next round goes on.', error: String(error) }),
  );
  const rates = new Rates(limits);
  const onKeyEnd: ServerParts<object>['onKeyEnd'] = (principal, ended) => watchKey(domain, wakeups, principal, ended);
  const server = await startServer(
    {
      schema,
      authenticate: (authorization) => authenticate(domain, authorization),
      context: (principal, signal) => createContext({ domain, wakeups, serverLimits: limits }, principal, signal),
      onKeyEnd,
      handlers: { '/fragments/': fragmentDoor(domain, rates, { ...limits, onKeyEnd }) },
      ready: () => isReady(store),
      limits,
      rates,
      log: writeLog,
    },
    doors,
  ).catch(async (error: unknown) => {
    await Promise.all([stopTime(), stopRetention()]);
    throw error;
  });
  const aggregator: Aggregator | null = company.aggregator
    ? startAggregator({
        domain,
        wakeups,
        onError: (error) => writeLog({ level: 'error', message: 'The aggregator failed; it tries again.', error: String(error) }),
      })
    : null;
  return {
    url: server.url,
    domain,
    async close(graceMs) {
      wakeups.stop();
      await Promise.all([aggregator?.close(), server.close(graceMs)]);
      await Promise.all([stopTime(), stopRetention()]);
      wakeups.close();
      await store.close();
    },
  };
}

async function isReady(store: Store): Promise<boolean> {
  try {
    await store.read.db.select().from(store.tables.meta).limit(1);
    return true;
  } catch {
    return false;
  }
}

/** Throws Node's error where the folder cannot be made or written to, before anything is opened in it. */
function requireWritable(folder: string): void {
  mkdirSync(folder, { recursive: true });
  accessSync(folder, constants.W_OK | constants.X_OK);
}
