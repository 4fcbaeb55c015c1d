import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Refused, RequestRefused, unwrap } from '../client/errors.ts';
import { type Client, createClient } from '../client/fetch.ts';
import { RegisterDeviceDocument, type RegisterDeviceInput } from '../client/generated.ts';
import { askUntilAnswered, isKeyRefused } from './asking.ts';
import { isAlive, readRecord, recordProcess } from './orphans.ts';

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
interface KeptKey {
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
  given: { readonly url: string; readonly token: string; readonly workDir: string; readonly wrap: (client: Client) => Client },
  input: RegisterDeviceInput,
  signal: AbortSignal,
): Promise<Registration> {
  const path = join(given.workDir, 'device.json');
  const register = async (token: string) => {
    const client = given.wrap(createClient({ url: given.url, token }));
    const { registerDevice } = await askUntilAnswered(client, RegisterDeviceDocument, { input }, { signal });
    const { device, apiKey } = unwrap(registerDevice);
    return { client, device, apiKey };
  };
  const kept = await readKept(path, given.url, input.name);
  const registered =
    (kept === null ? null : await register(kept).catch(ignoreRefusedKey)) ?? (await register(given.token).catch(explainRefusedKey));
  const { device, apiKey } = registered;
  if (!apiKey) return { client: registered.client, deviceId: device.id, deviceName: device.name };
  await writeKept(path, { url: given.url, name: input.name, apiKey });
  return { client: given.wrap(createClient({ url: given.url, token: apiKey })), deviceId: device.id, deviceName: device.name };
}

/** Makes the folder and takes it for this agent alone: two in one folder would take each other's steps for orphans. Answers how to leave it. */
export async function occupyFolder(workDir: string): Promise<() => Promise<void>> {
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const path = join(workDir, 'agent.json');
  const record = await readRecord(path);
  if (record !== null && (await isAlive(record))) {
    throw new AgentError(`Another agent (process ${record.pid}) uses the folder ${workDir}. Give this one a --work-dir of its own.`);
  }
  await recordProcess(path, process.pid, null);
  return () => rm(path, { force: true });
}

async function readKept(path: string, url: string, name: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const kept: unknown = JSON.parse(text);
    return isKeptKey(kept) && kept.url === url && kept.name === name ? kept.apiKey : null;
  } catch {
    return null;
  }
}

async function writeKept(path: string, kept: KeptKey): Promise<void> {
  await writeFile(path, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
  // The mode above is only for a file that is new.
  await chmod(path, 0o600);
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
