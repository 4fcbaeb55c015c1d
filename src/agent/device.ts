import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Refused, RequestRefused, unwrap } from '../client/errors.ts';
import { type Client, createClient } from '../client/fetch.ts';
import { RegisterDeviceDocument, type RegisterDeviceInput } from '../client/generated.ts';
import { askUntilAnswered, isKeyRefused } from './asking.ts';
import { isAlive, readRecord, recordProcess } from './attempt/orphans.ts';

/** Another agent uses the folder, or the gateway does not let this one in: a sentence for the person who started it. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
}

/** The device that this agent is, and a client that speaks as it. */
export interface Registration {
  readonly client: Client;
  readonly deviceId: string;
  readonly deviceName: string;
}

/** The device's own key, kept for the next start. */
export interface KeptKey {
  readonly url: string;
  readonly name: string;
  readonly apiKey: string;
}

/**
 * Registers this machine, by the key that an earlier registration gave it, or by the one that its user gave. The first registration answers the device's
 * own key, which is kept in the folder for its user alone and used from then on: the user's may do more, and need not stay on this machine.
 * Waits for a gateway that is away. Rejects with AgentError when no key is taken, with Refused, and with the signal's reason.
 */
export async function registerDevice(
  given: {
    readonly url: string;
    readonly token: string | undefined;
    readonly workDir: string;
    readonly wrap: (client: Client) => Client;
  },
  input: RegisterDeviceInput,
  signal: AbortSignal,
): Promise<Registration> {
  const { url, token } = given;
  const register = async (token: string, rotateKey: boolean) => {
    const client = given.wrap(createClient({ url, token }));
    const { registerDevice } = await askUntilAnswered(client, RegisterDeviceDocument, { input: { ...input, rotateKey } }, { signal });
    const { device, apiKey } = unwrap(registerDevice);
    return { client, device, apiKey };
  };
  const kept = await keptKey(given.workDir, url, input.name);
  const byKept = kept === null ? null : await register(kept, false).catch(ignoreRefusedKey);
  if (byKept === null && token === undefined)
    throw new AgentError(
      kept === null
        ? 'An agent needs a key that may register a device: TRAINYARD_TOKEN, --token-file or --token.'
        : 'The key of this device is not good any more, and no other was given: TRAINYARD_TOKEN, --token-file or --token.',
    );
  // A device that was there before gets a new key as well: with the user's, its steps could do what the user may.
  const registered = byKept ?? (await register(token ?? '', true).catch(explainRefusedKey));
  const { device, apiKey } = registered;
  // By the device's own key, whoever gave it.
  if (!apiKey) return { client: registered.client, deviceId: device.id, deviceName: device.name };
  await keepKey(given.workDir, { url, name: input.name, apiKey });
  return { client: given.wrap(createClient({ url, token: apiKey })), deviceId: device.id, deviceName: device.name };
}

/** Makes the agent's folder, or closes it to other users where it is open to them. */
export async function makeAgentFolder(workDir: string): Promise<void> {
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const { mode } = await stat(workDir);
  if ((mode & 0o077) !== 0) await chmod(workDir, 0o700);
}

/** Makes the folder and takes it for this agent alone: two in one folder would take each other's steps for orphans. Answers how to leave it. */
export async function occupyFolder(workDir: string): Promise<() => Promise<void>> {
  await makeAgentFolder(workDir);
  const path = join(workDir, 'agent.json');
  const record = await readRecord(path);
  if (record !== null && (await isAlive(record))) {
    throw new AgentError(`Another agent (process ${record.pid}) uses the folder ${workDir}. Give this one a --work-dir of its own.`);
  }
  await recordProcess(path, process.pid, null);
  return () => rm(path, { force: true });
}

const keyFile = (workDir: string) => join(workDir, 'device.json');

/** The key that a device of this name got from the gateway at this address; null where there is none. */
export async function keptKey(workDir: string, url: string, name: string): Promise<string | null> {
  const text = await readFile(keyFile(workDir), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const kept: unknown = JSON.parse(text);
    return isKeptKey(kept) && kept.url === url && kept.name === name ? kept.apiKey : null;
  } catch {
    return null;
  }
}

/** Keeps a device's key for its agent, whole or not at all, for the agent's user alone. */
export async function keepKey(workDir: string, kept: KeptKey): Promise<void> {
  const path = keyFile(workDir);
  // The mode is only for a file that is new.
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, `${JSON.stringify(kept)}\n`, { mode: 0o600, flag: 'wx' });
  await rename(`${path}.new`, path);
}

function isKeptKey(value: unknown): value is KeptKey {
  return (
    typeof value === 'object' &&
    value !== null &&
    'url' in value &&
    'name' in value &&
    'apiKey' in value &&
    typeof value.apiKey === 'string'
  );
}

/** The kept key is of a store that is gone, was revoked, or is that of the device of another project: the user's is tried. */
function ignoreRefusedKey(error: unknown): null {
  if (isKeyRefused(error) || error instanceof Refused) return null;
  throw error;
}

function explainRefusedKey(error: unknown): never {
  if (!(error instanceof RequestRefused)) throw error;
  throw new AgentError(`The gateway does not let this agent register: ${error.message}`, { cause: error });
}
