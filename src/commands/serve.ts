/** `trainyard serve`: runs a gateway, from start to exit. */
import type { Config } from '../config/settings.ts';
import { firstProject } from '../domain/jobs/projects.ts';
import { type Gateway, STOP_GRACE_MS, startGateway } from '../gateway.ts';
import { type Environment, parentOf } from '../initial-memory.ts';
import { stopOnSignal } from '../stop-signals.ts';
import { readTraceSettings } from '../telemetry/trace-settings.ts';
import { linkKey, localKey, type OperatorKey, operatorKey } from './credentials.ts';

export interface ServeOptions {
  readonly env: Environment;
  /** Whether the gateway is for the local user, whose key is kept in the data folder. */
  readonly isLocal: boolean;
  /** What runs next to the gateway, if anything. */
  readonly companion: Companion | null;
}

export interface Companion {
  /** Rejects if it cannot run here. */
  check(): Promise<void>;
  start(gateway: Gateway): { stop(): Promise<void> };
}

/**
 * Runs until SIGINT or SIGTERM, or until its database is replaced. Resolves with the exit code.
 * Rejects with what kept it from starting.
 */
export async function serve(config: Config, { env, isLocal, companion }: ServeOptions): Promise<number> {
  const stop = Promise.withResolvers<void>();
  stopOnSignal(() => stop.resolve());
  if (env.npm_lifecycle_event !== undefined) watchParents(() => stop.resolve());
  const gateway = await startGateway(config, readTraceSettings(env));
  const preparing = async () => {
    await companion?.check();
    return prepare(config, gateway, isLocal);
  };
  const operator = await preparing().catch(async (error: unknown) => {
    await gateway.close(STOP_GRACE_MS);
    throw error;
  });
  gateway.open();
  const running = companion?.start(gateway);
  process.stdout.write(
    await greeting(gateway, operator, { hasLinks: isLocal || operator?.isNew === true, hasGraphiql: config.network.documents === null }),
  );
  const isReplaced = await Promise.race([stop.promise.then(() => false), gateway.replaced.then(() => true)]);
  if (isReplaced) process.stderr.write(REPLACED);
  const askedAt = performance.now();
  await running?.stop();
  await gateway.close(Math.min(STOP_GRACE_MS, STOP_WITHIN_MS - (performance.now() - askedAt)));
  return isReplaced ? 1 : 0;
}

/**
 * Of the 15 s from SIGTERM to exit (P11), the time for the companion and the gateway's clients. The
 * rest is for closing the store.
 */
const STOP_WITHIN_MS = 13_000;

const REPLACED =
  'The database is no longer in the state that this gateway was started on: PostgreSQL failed over or was restored. The gateway exits. Start it again to continue from the current state.\n';

/** How often to check whether npm is still there. */
const LOOK_EVERY_MS = 500;

/**
 * Notices when npm, or the shell between it and this process, is gone. npm passes a signal to the
 * shell only, which dies of it and leaves its children running: stopping `npm start` would leave a
 * gateway behind.
 */
function watchParents(onGone: () => void): void {
  const parents = () => `${process.ppid} ${parentOf(process.ppid)}`;
  const first = parents();
  const timer = setInterval(() => {
    if (parents() === first) return;
    clearInterval(timer);
    onGone();
  }, LOOK_EVERY_MS).unref();
}

/** Prepares the store: the operator's key, a first project, the local user's key. */
async function prepare(config: Config, { domain, url }: Gateway, isLocal: boolean): Promise<OperatorKey | null> {
  const operator = await operatorKey(domain, config.network.adminKey);
  await firstProject(domain);
  if (isLocal) await localKey(domain, config.store.dataDir, url, operator);
  return operator;
}

interface Shown {
  readonly hasLinks: boolean;
  /** GraphiQL runs no trusted documents. The console's are trusted. */
  readonly hasGraphiql: boolean;
}

async function greeting({ url, domain }: Gateway, operator: OperatorKey | null, { hasLinks, hasGraphiql }: Shown): Promise<string> {
  const lines = [`Trainyard is at ${url} on ${domain.store.description}.`];
  // In the URL's fragment, which browsers do not send and logs do not contain.
  if (hasLinks) {
    const key = await linkKey(domain);
    lines.unshift(`Open the console, signed in: ${url}/#key=${key}`);
    if (hasGraphiql) lines.push(`GraphiQL, signed in: ${url}/graphql#key=${key}`);
  }
  if (operator?.isNew) lines.push(`Admin key, shown this once: ${operator.secret}`);
  return `${lines.join('\n')}\n`;
}
