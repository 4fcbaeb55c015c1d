/**
 * The credentials that `trainyard login` keeps for this user: a key for each gateway, in a file
 * that only the user can read. The Python package reads the same file.
 */
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Target } from '../client/target.ts';

type Env = Readonly<Record<string, string | undefined>>;

interface Entry {
  readonly token: string;
  readonly projectId?: string | undefined;
}

export interface Credentials {
  /** The gateway that commands use unless they name one. */
  readonly default: string | null;
  readonly gateways: ReadonlyMap<string, Entry>;
}

/** `~/.config/trainyard/credentials.json`, on Windows in %APPDATA%. */
export function credentialsPath(env: Env): string {
  if (env.TRAINYARD_CREDENTIALS) return env.TRAINYARD_CREDENTIALS;
  const base =
    process.platform === 'win32'
      ? env.APPDATA || join(homedir(), 'AppData', 'Roaming')
      : env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return join(base, 'trainyard', 'credentials.json');
}

/** Two spellings of one address are the same gateway. */
export const gatewayKey = (url: string): string => url.replace(/\/+$/, '');

/** What is in the file. Nothing if it is missing, damaged, or another user's. */
export async function readCredentials(env: Env): Promise<Credentials> {
  const content: unknown = await readFile(credentialsPath(env), 'utf8')
    .then(JSON.parse)
    .catch(() => null);
  const { default: chosen, gateways } = { default: null, gateways: null, ...(isObject(content) ? content : {}) };
  const entries = Object.entries(isObject(gateways) ? gateways : {}).flatMap(([url, entry]): [string, Entry][] => {
    const { token, projectId } = { token: null, projectId: null, ...(isObject(entry) ? entry : {}) };
    if (typeof token !== 'string') return [];
    return [[gatewayKey(url), { token, projectId: typeof projectId === 'string' ? projectId : undefined }]];
  });
  return { default: typeof chosen === 'string' ? gatewayKey(chosen) : null, gateways: new Map(entries) };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The gateway with its key, if the file has one. Without `url`: the default gateway. */
export function keptTarget({ default: chosen, gateways }: Credentials, url: string | undefined): Target | undefined {
  const wanted = url ?? chosen;
  const entry = wanted === null ? undefined : gateways.get(gatewayKey(wanted));
  return wanted === null || entry === undefined ? undefined : { url: gatewayKey(wanted), ...entry };
}

/** Replaces the file at once. Its folder and the file are for this user only. */
export async function writeCredentials(env: Env, { default: chosen, gateways }: Credentials): Promise<void> {
  const path = credentialsPath(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const content = { ...(chosen !== null && { default: chosen }), gateways: Object.fromEntries(gateways) };
  await rm(`${path}.new`, { force: true });
  await writeFile(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  await chmod(`${path}.new`, 0o600);
  await rename(`${path}.new`, path);
}
