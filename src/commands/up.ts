/** `trainyard serve` and `trainyard up`: a gateway, with an agent beside it or without, from its first line to its last. */

import { IsolationError } from '../agent/process/isolation.ts';
import type { GatewayCommand } from '../config/config.ts';
import type { Config } from '../config/settings.ts';
import { authenticate } from '../domain/access/keys.ts';
import { InvalidInput } from '../domain/core/refusals.ts';
import { firstProject } from '../domain/jobs/projects.ts';
import { renewDeviceKey } from '../domain/steps/devices.ts';
import { type Gateway, STOP_GRACE_MS, startGateway } from '../gateway.ts';
import { describeExposed, type Environment, parentOf } from '../initial-memory.ts';
import { ManifestUnusable } from '../server/documents/manifest.ts';
import { StoreUnusable } from '../store/store.ts';
import { readTraceSettings } from '../telemetry/trace-settings.ts';
import { linkKey, localKey, type OperatorKey, operatorKey } from './credentials.ts';
import { type LocalAgentOptions, requireIsolation, startLocalAgent } from './local-agent.ts';

/** Runs until SIGINT or SIGTERM, or until its database is another; answers the exit code. Throws what kept it from starting. */
export async function up(
  command: GatewayCommand,
  config: Config,
  { env, umask }: { readonly env: Environment; readonly umask: number },
): Promise<number> {
  const stop = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.resolve());
  if (env.npm_lifecycle_event !== undefined) watchParents(() => stop.resolve());
  const { dataDir } = config.store;
  const { slots, isolate, isolateUser } = config.local;
  const runsSteps = command === 'up' && slots > 0;
  const isolation = isolate ? { user: isolateUser ?? undefined } : null;
  const gateway = await startGateway(config, readTraceSettings(env));
  const { url } = gateway;
  const preparing = async () => {
    if (runsSteps && isolation !== null) await requireIsolation(dataDir, isolation);
    return prepare(command, config, gateway);
  };
  const operator = await preparing().catch(async (error: unknown) => {
    await gateway.close(STOP_GRACE_MS);
    throw error;
  });
  gateway.open();
  const { keys, onError } = agentParts(gateway, slots);
  const agent = runsSteps ? startLocalAgent({ dataDir, slots, isolation, url, keys, env, umask, onError }) : null;
  const exposed = runsSteps ? describeExposed([config.network.adminKey, config.store.databaseUrl], remedy) : undefined;
  if (exposed !== undefined) process.stderr.write(`${exposed}\n`);
  process.stdout.write(await greeting(command, gateway, operator));
  const isReplaced = await Promise.race([stop.promise.then(() => false), gateway.replaced.then(() => true)]);
  if (isReplaced) process.stderr.write(REPLACED);
  // A second signal is for who does not want to wait.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const askedAt = performance.now();
  await agent?.stop();
  await gateway.close(Math.min(STOP_GRACE_MS, STOP_WITHIN_MS - (performance.now() - askedAt)));
  return isReplaced ? 1 : 0;
}

/** Of the 15 s from SIGTERM to exit (P11), what the agent and the gateway's clients have together: the rest is for closing the store. */
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
async function prepare(command: GatewayCommand, config: Config, { domain, url }: Gateway): Promise<OperatorKey | null> {
  const operator = await operatorKey(domain, config.network.adminKey);
  await firstProject(domain);
  if (command === 'up') await localKey(domain, config.store.dataDir, url, operator);
  return operator;
}

const remedy = 'Give it in a file: TRAINYARD_ADMIN_KEY_FILE, TRAINYARD_DATABASE_URL_FILE.';

/** What the agent of this machine gets of its gateway. */
function agentParts({ domain }: Gateway, slots: number): Pick<LocalAgentOptions, 'keys' | 'onError'> {
  return {
    keys: {
      isGood: async (key) => (await authenticate(domain, `Bearer ${key}`))?.kind === 'DEVICE',
      renew: (name) => renewDeviceKey(domain, { name, slots }),
    },
    onError: (error) =>
      process.stderr.write(`The agent does not run, and is tried again: ${error instanceof Error ? error.message : String(error)}\n`),
  };
}

async function greeting(command: GatewayCommand, { url, domain }: Gateway, operator: OperatorKey | null): Promise<string> {
  const lines = [`Trainyard is at ${url} on ${domain.store.description}.`];
  // In the fragment: a browser sends it to nobody, and no log has it.
  if (command === 'up' || operator?.isNew) lines.push(`GraphiQL, signed in: ${url}/graphql#key=${await linkKey(domain)}`);
  if (operator?.isNew) lines.push(`Admin key, shown this once: ${operator.secret}`);
  return `${lines.join('\n')}\n`;
}

/** What kept a gateway from starting, in one line for the operator. */
export function explainStart(error: unknown): string {
  if (error instanceof StoreUnusable || error instanceof IsolationError || error instanceof ManifestUnusable) return error.message;
  if (error instanceof InvalidInput) return error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('\n');
  const { code, address, port, path } = error as { code?: string; address?: string; port?: number; path?: string }; // Node's system errors
  if (code === 'EADDRINUSE')
    return `${address}:${port} is taken: another program listens there. Choose another port with --port, or 0 for any.`;
  if (code === 'EADDRNOTAVAIL') return `${address} is no address of this machine; choose another with --host.`;
  if (code === 'EACCES' && port !== undefined) return `Port ${port} may not be listened on by this user.`;
  if (path !== undefined && (code === 'EACCES' || code === 'EPERM' || code === 'EROFS'))
    return `The data folder ${path} cannot be written to (${code}).`;
  if (path !== undefined && (code === 'ENOTDIR' || code === 'EEXIST' || code === 'ENOENT'))
    return `The data folder ${path} cannot be made (${code}).`;
  if (code?.startsWith('SQLITE_')) return `The database cannot be used: ${error instanceof Error ? error.message : code}.`;
  return `Trainyard could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
