import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Refused, RequestRefused, unwrap } from '../client/errors.ts';
import { JoinDeviceDocument, RegisterDeviceDocument, type RegisterDeviceInput } from '../client/generated.ts';
import { createRequester, type Requester } from '../client/request.ts';
import { isAlive, readRecord, recordProcess } from './attempt/orphans.ts';
import { isKeyRefused, requestUntilAnswered } from './retrying.ts';

/**
 * The agent cannot start: another one uses the folder, or the gateway refuses its key. The message
 * is for the user.
 */
export class AgentError extends Error {
  override readonly name = 'AgentError';
}

/** This agent's device, and a client that authenticates as it. */
export interface Registration {
  readonly client: Requester;
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
 * Registers this machine with the key that an earlier registration returned, or else with the
 * user's. The first registration returns the device's own key. It is kept in the folder, readable
 * by the agent's user only, and used from then on: the user's key may do more and need not stay on
 * this machine. Waits while the gateway is away.
 *
 * Rejects with AgentError when no key is accepted, with Refused, and with the signal's reason.
 */
export async function registerDevice(
  given: {
    readonly url: string;
    readonly token: string | undefined;
    /** Of a join link, used if no earlier start has left a key. */
    readonly joinSecret: string | undefined;
    readonly workDir: string;
    readonly wrap: (client: Requester) => Requester;
  },
  input: RegisterDeviceInput,
  signal: AbortSignal,
): Promise<Registration> {
  const { url, token } = given;
  const register = async (token: string, rotateKey: boolean) => {
    const client = given.wrap(createRequester({ url, token }));
    const { registerDevice } = await requestUntilAnswered(client, RegisterDeviceDocument, { input: { ...input, rotateKey } }, { signal });
    const { device, apiKey } = unwrap(registerDevice);
    return { client, device, apiKey };
  };
  const known = await keptKey(given.workDir, url, input.name);
  const kept = known ?? (given.joinSecret === undefined ? null : await joinBy(given.joinSecret, given, input, signal));
  const byKept = kept === null ? null : await register(kept, false).catch(ignoreRefusedKey);
  if (byKept === null && token === undefined)
    throw new AgentError(
      kept === null
        ? 'An agent needs a key that may register a device: TRAINYARD_TOKEN, --token-file or --token.'
        : 'The gateway no longer accepts this device’s key. Give another one: TRAINYARD_TOKEN, --token-file or --token.',
    );
  // A device that is known already gets a new key as well: with the user's, its steps could do what
  // the user may.
  const registered = byKept ?? (await register(token ?? '', true).catch(explainRefusedKey));
  const { device, apiKey } = registered;
  // The key used was the device's own, kept or given.
  if (!apiKey) return { client: registered.client, deviceId: device.id, deviceName: device.name };
  await keepKey(given.workDir, { url, name: input.name, apiKey });
  return { client: given.wrap(createRequester({ url, token: apiKey })), deviceId: device.id, deviceName: device.name };
}

/** Makes this machine a device by a join link. Resolves with its key, which is kept. */
async function joinBy(
  secret: string,
  { url, workDir, wrap }: { url: string; workDir: string; wrap: (client: Requester) => Requester },
  { name, kind = 'WORKER' }: RegisterDeviceInput,
  signal: AbortSignal,
): Promise<string> {
  // The same for each try: if an answer with the key is lost, the next one has another key.
  const request = { input: { name, kind, idempotencyKey: randomUUID() } };
  const client = wrap(createRequester({ url, token: secret }));
  const { joinDevice } = await requestUntilAnswered(client, JoinDeviceDocument, request, { signal }).catch((error: unknown) => {
    if (!isKeyRefused(error)) throw error;
    const why = 'it has expired, was revoked, or is of another gateway. Make another one: trainyard devices invite.';
    throw new AgentError(`The gateway does not accept this join link: ${why}`, { cause: error });
  });
  if (joinDevice.__typename !== 'JoinDevicePayload') throw new AgentError(joinDevice.message);
  await keepKey(workDir, { url, name, apiKey: joinDevice.secret });
  return joinDevice.secret;
}

/** Makes the agent's folder, or takes other users' access away if it exists. */
export async function makeAgentFolder(workDir: string): Promise<void> {
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const { mode } = await stat(workDir);
  if ((mode & 0o077) !== 0) await chmod(workDir, 0o700);
}

/**
 * Makes the folder and claims it for this agent: two agents in one folder would take each other's
 * steps for orphans. Resolves with a function that leaves it.
 */
export async function occupyFolder(workDir: string): Promise<() => Promise<void>> {
  await makeAgentFolder(workDir);
  const path = join(workDir, 'agent.json');
  const record = await readRecord(path);
  if (record !== null && (await isAlive(record))) {
    throw new AgentError(`Another agent (process ${record.pid}) uses the folder ${workDir}. Give this one another --work-dir.`);
  }
  await recordProcess(path, process.pid, null);
  return () => rm(path, { force: true });
}

const keyFile = (workDir: string) => join(workDir, 'device.json');

/** The key that the gateway at this address gave to a device of this name, or null. */
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

/** Stores a device's key atomically, readable by the agent's user only. */
export async function keepKey(workDir: string, kept: KeptKey): Promise<void> {
  const path = keyFile(workDir);
  // The mode applies to new files only.
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

/**
 * The kept key belongs to a store that is gone or to a device of another project, or was revoked.
 * Try the user's.
 */
function ignoreRefusedKey(error: unknown): null {
  if (isKeyRefused(error) || error instanceof Refused) return null;
  throw error;
}

function explainRefusedKey(error: unknown): never {
  if (!(error instanceof RequestRefused)) throw error;
  throw new AgentError(`The gateway refused to register this agent: ${error.message}`, { cause: error });
}
