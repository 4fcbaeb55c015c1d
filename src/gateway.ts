/**
 * A gateway: store, domain, realtime, schema and server, started in this order and stopped in
 * reverse.
 */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { type Aggregator, startAggregator } from './aggregator/aggregator.ts';
import { inspectModel } from './aggregator/threads.ts';
import type { Config } from './config/settings.ts';
import { watchKey } from './domain/access/key-ends.ts';
import { KnownKeys } from './domain/access/known-keys.ts';
import { resumeSession } from './domain/access/sessions.ts';
import { createDomain, type Domain } from './domain/core/domain.ts';
import { startRetention } from './domain/sweep/retention.ts';
import { forgiveOutage, startSweep } from './domain/sweep/timekeeping.ts';
import { version } from './installation.ts';
import { openSchemas } from './json-schema/threads.ts';
import { Wakeups } from './realtime/wakeups.ts';
import { type Context, createContext } from './schema/core/context.ts';
import { schema } from './schema/index.ts';
import type { ServerParts } from './server/app.ts';
import { Rates } from './server/connections/rates.ts';
import { Unsent } from './server/connections/unsent.ts';
import { sessionEndpoint } from './server/console/session.ts';
import { ManifestUnusable, readManifest } from './server/documents/manifest.ts';
import { fragmentEndpoint } from './server/files/files.ts';
import { answerWheel } from './server/files/wheel.ts';
import { startServer } from './server/http.ts';
import { TunnelEndpoint } from './server/tunnel/endpoint.ts';
import { ServerInstruments } from './server/watch/instruments.ts';
import { logRecurring } from './server/watch/log.ts';
import { endInTurn } from './shutdown.ts';
import { closeToOthers } from './store/files/owner-only.ts';
import { isShared, openFiles, openStore } from './store/open.ts';
import type { Store } from './store/store.ts';
import { type OpenLog, openLog } from './telemetry/log.ts';
import { Metrics } from './telemetry/metrics.ts';
import { listenableOf, metricsEndpoint, openMetricsServer } from './telemetry/metrics-server.ts';
import { readinessOf } from './telemetry/readiness.ts';
import { samplesOf } from './telemetry/samples.ts';
import type { TraceSettings } from './telemetry/trace-settings.ts';
import type { Tracing } from './telemetry/tracing.ts';

export interface Gateway {
  readonly url: string;
  readonly domain: Domain;
  /**
   * Resolves once its database is no longer the one that it was started on. It then has to be
   * closed and started again.
   */
  readonly replaced: Promise<void>;
  /** Reports ready from now on: a start's keys are accepted. */
  open(): void;
  /** Stops within `graceMs`: asks clients to come back, ends the rest, closes the store. */
  close(graceMs: number): Promise<void>;
}

/** Of the 15 s from SIGTERM to exit (P11), including the closing of the store. */
export const STOP_GRACE_MS = 10_000;

/**
 * `trace`: how to trace it; null for no tracing. What can refuse the start comes before the store
 * is opened, because that migrates it.
 */
export async function startGateway(config: Config, trace: TraceSettings | null = null): Promise<Gateway> {
  const { network, store, telemetry } = config;
  const trustedDocuments = network.documents === null ? null : await readTrustedDocuments(network.documents);
  requireWritable(store.dataDir);
  const metricsAddress = telemetry.metricsAddress === null ? [] : [listenableOf(telemetry.metricsAddress)];
  const release = await holdAddresses([network, ...metricsAddress]);
  return open({ config, trustedDocuments, release }, trace).finally(release);
}

interface Start {
  readonly config: Config;
  readonly trustedDocuments: ServerParts<Context>['trustedDocuments'];
  /** Releases the addresses, to be listened on at once. */
  release(): Promise<void>;
}

async function open(start: Start, trace: TraceSettings | null): Promise<Gateway> {
  const { config } = start;
  const { dataDir, databaseConnections: connections, newIdentity: isRenewed } = config.store;
  const closed = closeToOthers(dataDir);
  const store = await openStore(config.store, { connections, isRenewed });
  const log = openLog(config.telemetry.logLevel);
  if (closed.length > 0) log.warn('Other users of this machine could read the gateway’s files. Their access was removed.', { closed });
  let tracing: Tracing | null = null;
  try {
    // Loaded on demand: it would cost every start a tenth of a second.
    tracing = trace ? (await import('./telemetry/tracing.ts')).startTracing(trace, version) : null;
    return await serve(start, tracing?.watch(store) ?? store, log, tracing);
  } catch (error) {
    await endInTurn([() => store.close()], [() => tracing?.close()], [() => log.close()]);
    throw error;
  }
}

async function serve({ config, trustedDocuments, release }: Start, store: Store, log: OpenLog, tracing: Tracing | null): Promise<Gateway> {
  const { network, local, limits, work, telemetry, retention } = config;
  const files = openFiles(config.store);
  // If the store is shared, another gateway may be receiving a file unseen.
  if (!isShared(config.store)) await files.sweep(null);
  const domain = createDomain({ store, files, models: { inspect: inspectModel }, schemas: openSchemas(), limits: work });
  if (store.isFirst) await forgiveOutage(domain);
  const wakeups = new Wakeups(store);
  const instruments = new ServerInstruments();
  const unsent = new Unsent(limits);
  const counted = [
    store.instruments,
    domain.instruments.all(),
    wakeups.instruments,
    instruments.all(),
    unsent.instruments,
    samplesOf(domain, config.store.dataDir),
    log.lostLines,
  ].flat();
  const metrics = new Metrics({ version, node: process.versions.node, store: store.description }, counted);
  await release();
  const metricsServer = telemetry.metricsAddress === null ? null : await openMetricsServer(metrics, telemetry.metricsAddress);
  const rates = new Rates(limits);
  const onKeyEnd: ServerParts<Context>['onKeyEnd'] = (principal, ended) => watchKey(domain, wakeups, principal, ended);
  const keys = new KnownKeys(domain);
  const authenticate: ServerParts<Context>['authenticate'] = ({ authorization, session }) =>
    session === undefined ? keys.authenticate(authorization) : resumeSession(domain, session);
  const parts: ServerParts<Context> = {
    schema,
    authenticate,
    context: (principal, asked) => createContext({ domain, wakeups, serverLimits: limits }, principal, asked),
    onKeyEnd,
    trustedDocuments,
    handlers: {
      '/fragments/': fragmentEndpoint(domain, rates, { ...limits, onKeyEnd, instruments }),
      '/python': answerWheel,
      '/metrics': metricsEndpoint(domain, metrics),
      '/session': sessionEndpoint(domain, { authenticate, rates }),
    },
    steps: new TunnelEndpoint(domain, { authenticate, onKeyEnd, limits, rates, instruments, log }),
    ready: readinessOf(store),
    limits,
    unsent,
    rates,
    log,
    instruments,
    traces: tracing?.traces ?? null,
  };
  const server = await startServer(parts, network).catch(async (error: unknown) => {
    metricsServer?.close();
    await wakeups.close();
    throw error instanceof ManifestUnusable ? new ManifestUnusable(`${network.documents}: ${error.message}`) : error;
  });
  const stopTime = startSweep(domain, logRecurring(log, 'The sweep failed; the next one tries again.'));
  const stopRetention = startRetention(domain, retention, logRecurring(log, 'Retention failed; the next round goes on.'));
  const onError = logRecurring(log, 'The aggregator failed; it tries again.');
  const aggregator: Aggregator | null = local.aggregator ? startAggregator({ domain, wakeups, onError }) : null;
  log.debug('The gateway has started.', { url: server.url, store: store.description, version });
  return {
    url: server.url,
    domain,
    replaced: store.replaced,
    open: server.open,
    async close(graceMs) {
      log.info('The gateway is stopping.');
      wakeups.stop();
      const [failure] = await endInTurn(
        [() => aggregator?.close(), () => server.close(graceMs)],
        [() => metricsServer?.close(), stopTime, stopRetention],
        [() => wakeups.close()],
        [() => store.close()],
        [() => tracing?.close()],
      );
      if (!failure) log.info('The gateway has stopped.');
      await log.close();
      if (failure) throw failure.reason;
    },
  };
}

/**
 * The file's documents, and those of agents, the command line, the console and the Python package,
 * without which nothing would run or be seen.
 */
async function readTrustedDocuments(path: string): Promise<ReadonlyMap<string, string>> {
  const documents = new Map(readManifest(path));
  const { pythonDocuments } = await import('./server/documents/python-documents.ts');
  const own = {
    trainyard: await import('./client/generated.ts'),
    console: await import('./console/generated.ts'),
    python: Object.fromEntries([...pythonDocuments].map(([name, text]) => [`${name}Document`, text])),
  };
  for (const [prefix, module] of Object.entries(own))
    for (const [name, document] of Object.entries(module)) {
      if (!name.endsWith('Document')) continue;
      const id = `${prefix}/${name}`;
      if (documents.has(id)) throw new ManifestUnusable(`${path}: the id ${JSON.stringify(id)} is the gateway's own.`);
      documents.set(id, String(document));
    }
  return documents;
}

/**
 * Throws Node's error if the folder cannot be created or written, before anything is opened in it.
 */
function requireWritable(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  accessSync(folder, constants.W_OK | constants.X_OK);
}

/**
 * Occupies addresses to listen on later. Until they are released, connections to them are closed at
 * once. Rejects with Node's error if it cannot listen on one.
 */
async function holdAddresses(addresses: readonly { readonly host: string; readonly port: number }[]): Promise<() => Promise<void>> {
  const held: { close(): Promise<void> }[] = [];
  const release = async () => {
    await Promise.all(held.splice(0).map((each) => each.close()));
  };
  try {
    for (const address of addresses) held.push(await hold(address));
  } catch (error) {
    await release();
    throw error;
  }
  return release;
}

function hold({ host, port }: { readonly host: string; readonly port: number }): Promise<{ close(): Promise<void> }> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve({ close: () => new Promise((done) => server.close(() => done())) }));
  });
}
