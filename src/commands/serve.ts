/** `trainyard serve`: a gateway, from its first line to its last. */
import type { Config } from '../config/settings.ts';
import { firstProject } from '../domain/jobs/projects.ts';
import { type Gateway, STOP_GRACE_MS, startGateway } from '../gateway.ts';
import { type Environment, parentOf } from '../initial-memory.ts';
import { readTraceSettings } from '../telemetry/trace-settings.ts';
import { linkKey, localKey, type OperatorKey, operatorKey } from './credentials.ts';

export interface ServeOptions {
  readonly env: Environment;
  /** Whether the gateway is for the user of this machine, whose key is kept in the data folder. */
  readonly isLocal: boolean;
  /** What runs beside the gateway; null, nothing. */
  readonly companion: Companion | null;
}

export interface Companion {
  /** Throws what keeps it from running here. */
  check(): Promise<void>;
  start(gateway: Gateway): { stop(): Promise<void> };
}

/** Runs until SIGINT or SIGTERM, or until its database is another; returns the exit code. Throws what kept it from starting. */
export async function serve(config: Config, { env, isLocal, companion }: ServeOptions): Promise<number> {
  const stop = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve());
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
  process.stdout.write(await greeting(gateway, operator, isLocal));
  const isReplaced = await Promise.race([stop.promise.then(() => false), gateway.replaced.then(() => true)]);
  if (isReplaced) process.stderr.write(REPLACED);
  // A second signal is for who does not want to wait.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const askedAt = performance.now();
  await running?.stop();
  await gateway.close(Math.min(STOP_GRACE_MS, STOP_WITHIN_MS - (performance.now() - askedAt)));
  return isReplaced ? 1 : 0;
}

/** Of the 15 s from SIGTERM to exit (P11), what the companion and the gateway's clients have together: the rest is for closing the store. */
const STOP_WITHIN_MS = 13_000;

const REPLACED =
  'The database is in another state than the one that this gateway was started on: PostgreSQL failed over, or was restored. The gateway ends; started again, it goes on from what is there.\n';

/** How often it is looked whether npm is there still. */
const LOOK_EVERY_MS = 500;

/**
 * Tells when npm, or the shell between it and this process, is gone. npm sends a signal that it gets to the shell alone, which dies of it and takes
 * nothing along: whoever stopped `npm start` would leave a gateway behind.
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

/** What a start leaves in the store: the operator's key, a first project, the key of this machine's user. */
async function prepare(config: Config, { domain, url }: Gateway, isLocal: boolean): Promise<OperatorKey | null> {
  const operator = await operatorKey(domain, config.network.adminKey);
  await firstProject(domain);
  if (isLocal) await localKey(domain, config.store.dataDir, url, operator);
  return operator;
}

async function greeting({ url, domain }: Gateway, operator: OperatorKey | null, isLocal: boolean): Promise<string> {
  const lines = [`Trainyard is at ${url} on ${domain.store.description}.`];
  // In the fragment: a browser sends it to nobody, and no log has it.
  if (isLocal || operator?.isNew) lines.push(`GraphiQL, signed in: ${url}/graphql#key=${await linkKey(domain)}`);
  if (operator?.isNew) lines.push(`Admin key, shown this once: ${operator.secret}`);
  return `${lines.join('\n')}\n`;
}
