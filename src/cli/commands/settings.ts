import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Target } from '../../client/target.ts';
import { keptTarget, readCredentials } from '../credentials.ts';
import type { FlagSet, Given } from '../input/flags.ts';
import { UsageError } from '../io.ts';

type Env = Readonly<Record<string, string | undefined>>;

const defaultUrl = 'http://127.0.0.1:4000';

/** The flags that tell a command its gateway and key. */
export const targetFlags: FlagSet = {
  url: { value: 'URL', description: 'the gateway', defaultText: `$TRAINYARD_URL, else that of the key that is found, else ${defaultUrl}` },
  token: {
    value: 'KEY',
    description: 'an API key',
    defaultText:
      '$TRAINYARD_TOKEN, else for a gateway on this machine the key in $TRAINYARD_DATA_DIR/credentials.json (./data), else that of trainyard login',
  },
  'token-file': {
    value: 'FILE',
    description: 'a file with an API key; other users of this machine can see flags',
    defaultText: '$TRAINYARD_TOKEN_FILE',
  },
};

/** The given key: from the flag, a file, or the environment. */
async function givenToken(given: Given, env: Env): Promise<string | undefined> {
  const typed = given.text('token');
  const file = given.text('token-file') ?? (env.TRAINYARD_TOKEN_FILE || undefined);
  if (typed !== undefined && given.has('token-file')) throw new UsageError('Give --token or --token-file, not both.');
  if (typed !== undefined || file === undefined) return typed ?? (env.TRAINYARD_TOKEN || undefined);
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`The key file cannot be read: ${error.message}`);
  });
  return text.trim();
}

/**
 * The gateway that a command talks to, and the key for it.
 * @throws UsageError if the address is not a URL.
 */
export async function readTarget(given: Given, env: Env): Promise<Target> {
  const url = given.text('url') ?? (env.TRAINYARD_URL || undefined);
  const token = await givenToken(given, env);
  if (url !== undefined && !isHttp(url)) throw new UsageError(`The gateway's URL must look like ${defaultUrl}, not "${url}".`);
  if (token !== undefined) return { url: url ?? defaultUrl, token };
  const kept = await keptFor(url, env);
  if (kept && isHttp(kept.url)) return kept;
  return { url: url ?? defaultUrl };
}

/**
 * The gateway with the key that is kept for it: by `trainyard login`, or by a gateway in this
 * folder for this machine. A key is never sent to another gateway.
 */
async function keptFor(url: string | undefined, env: Env): Promise<Target | undefined> {
  const ofUser = await readCredentials(env);
  const named = url === undefined ? undefined : keptTarget(ofUser, url);
  if (named) return { ...named, url: url ?? named.url };
  const here =
    url === undefined || isLoopback(url) ? await readLocal(join(env.TRAINYARD_DATA_DIR || 'data', 'credentials.json')) : undefined;
  if (here) return { ...here, url: url ?? here.url };
  return url === undefined ? keptTarget(ofUser, undefined) : undefined;
}

/**
 * The local admin key that `trainyard up` writes into its data folder, readable by its user only
 * (mode 0600).
 */
async function readLocal(path: string): Promise<(Target & { readonly token: string }) | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return undefined;
    const { url, token, projectId } = { url: undefined, token: undefined, projectId: undefined, ...parsed };
    if (typeof url !== 'string' || !isHttp(url) || !isLoopback(url) || typeof token !== 'string') return undefined;
    return { url, token, projectId: typeof projectId === 'string' ? projectId : undefined };
  } catch {
    // Missing, or not readable by this user: without a key, the gateway's refusal explains it.
    return undefined;
  }
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

/** This machine's key is only sent to this machine. */
function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
