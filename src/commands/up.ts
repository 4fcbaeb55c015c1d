/** `trainyard up`: runs a gateway and a local agent. */
import type { Config } from '../config/settings.ts';
import { authenticate } from '../domain/access/keys.ts';
import { renewDeviceKey } from '../domain/steps/devices.ts';
import type { Gateway } from '../gateway.ts';
import { describeExposed, type Environment } from '../initial-memory.ts';
import { type LocalAgent, requireIsolation, startLocalAgent } from './local-agent.ts';
import { type Companion, serve } from './serve.ts';

export interface UpOptions {
  readonly env: Environment;
  /**
   * The umask that this process was started with: its user decides who may read the files that
   * steps write.
   */
  readonly umask: number;
}

/** Runs like `serve`. */
export const up = (config: Config, options: UpOptions): Promise<number> =>
  serve(config, { env: options.env, isLocal: true, companion: config.local.slots > 0 ? localAgent(config, options) : null });

function localAgent(config: Config, { env, umask }: UpOptions): Companion {
  const { dataDir, databaseUrl } = config.store;
  const { slots, isolate, isolateUser } = config.local;
  const isolation = isolate ? { user: isolateUser ?? undefined } : null;
  return {
    async check() {
      if (isolation !== null) await requireIsolation(dataDir, isolation);
    },
    start({ url, domain }: Gateway): LocalAgent {
      const keys = {
        isGood: async (key: string) => (await authenticate(domain, `Bearer ${key}`))?.kind === 'DEVICE',
        renew: (name: string) => renewDeviceKey(domain, { name, slots }),
      };
      const agent = startLocalAgent({ dataDir, slots, isolation, url, keys, env, umask, onError: sayFailure });
      const exposed = describeExposed([config.network.adminKey, databaseUrl], REMEDY);
      if (exposed !== undefined) process.stderr.write(`${exposed}\n`);
      return agent;
    },
  };
}

const REMEDY = 'Pass it in a file: TRAINYARD_ADMIN_KEY_FILE, TRAINYARD_DATABASE_URL_FILE.';

function sayFailure(error: unknown): void {
  process.stderr.write(`The agent does not run; retrying: ${error instanceof Error ? error.message : String(error)}\n`);
}
