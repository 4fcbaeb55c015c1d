/**
 * The base of every chaos client: a process with a notebook, a seed, and the addresses of one or
 * more gateways. It works on through the death of gateways until it gets SIGTERM.
 */
import { parseArgs } from 'node:util';
import { GatewayUnreachable, messageOf, RequestRefused } from '../../../src/client/errors.ts';
import { createRequester } from '../../../src/client/request.ts';
import { resolveUrl, type Target } from '../../../src/client/target.ts';
import { type Backoff, delayMs, wait } from '../../../src/timing/backoff.ts';
import { Notebook } from '../notes.ts';
import { documents, type MutationName, type OperationName, type Operations, type UploadInput, type UploadResult } from '../operations.ts';
import { type Random, seedRandom } from '../random.ts';

/**
 * A gateway is back within a second or two. A slow client would miss the moments around its death.
 */
const quick: Pick<Backoff, 'baseMs' | 'capMs'> = { baseMs: 30, capMs: 400 };

export interface Settings {
  readonly name: string;
  readonly notes: string;
  readonly seed: string;
  readonly urls: readonly string[];
  readonly key: string;
  readonly projectId: string;
  /** Options of the client's kind: `slots=2`. */
  readonly options: Readonly<Record<string, string>>;
}

/** Reads the settings that `startClient` passed. */
export function readSettings(): Settings {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      name: text,
      notes: text,
      seed: text,
      url: { type: 'string', multiple: true },
      key: text,
      project: text,
      option: { type: 'string', multiple: true },
    },
  });
  const { name = '', notes = '', seed = '', url = [], key = '', project = '', option = [] } = values;
  if (name === '' || notes === '' || url.length === 0) throw new Error('A client needs --name, --notes and --url.');
  const options = Object.fromEntries(option.map((each) => each.split('=', 2)));
  return { name, notes, seed, urls: url, key, projectId: project, options };
}

/** The answer, or null if there was none. */
export type Outcome<K extends OperationName> = Operations[K]['result'] | null;

/**
 * `try again`: there was no answer, or the next one may differ. `never`: the request would be
 * refused again.
 */
type Tried<K extends OperationName> = { readonly result: Operations[K]['result'] } | 'try again' | 'never';

/** Temporary refusals of whole requests. */
const passing = new Set(['UNAVAILABLE', 'INTERNAL_ERROR', 'LIMIT_EXCEEDED', 'RATE_LIMITED']);

export class Client {
  readonly settings: Settings;
  readonly notebook: Notebook;
  readonly random: Random;
  /** Aborted when the client is told to stop. */
  readonly stop: AbortSignal;
  readonly backoff: Backoff;
  key: string;
  #call = 0;
  /** The index of the address that answered last. */
  #at = 0;

  constructor(settings: Settings = readSettings()) {
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
    this.settings = settings;
    this.stop = stop.signal;
    this.notebook = new Notebook(settings.notes, settings.name);
    this.random = seedRandom(`${settings.seed} ${settings.name}`);
    this.backoff = { ...quick, random: () => this.random.next() };
    this.key = settings.key;
    this.#at = this.random.whole(0, settings.urls.length - 1);
  }

  /** The address to ask next. */
  get target(): Target {
    return { url: this.settings.urls[this.#at] ?? '', token: this.key };
  }

  /** Asks once. */
  async ask<K extends MutationName>(operation: K, input: Operations[K]['input']): Promise<Outcome<K>> {
    return resultOf(await this.#mutate(operation, input, null));
  }

  /** Asks until there is an answer or the client is stopped. A repeated call has the same input. */
  async insist<K extends MutationName>(operation: K, input: Operations[K]['input']): Promise<Outcome<K>> {
    const first = this.nextCall;
    for (let failures = 0; ; failures++) {
      const tried = await this.#mutate(operation, input, failures === 0 ? null : first);
      if (tried !== 'try again' || this.stop.aborted) return resultOf(tried);
      await this.pause(delayMs(this.backoff, failures + 1));
    }
  }

  /** PUTs the bytes of a fragment until there is an answer. */
  async upload(input: UploadInput, bytes: Buffer): Promise<Outcome<'uploadFragment'>> {
    const first = this.nextCall;
    for (let failures = 0; ; failures++) {
      const again = failures === 0 ? null : first;
      const tried = await this.#note('uploadFragment', input, again, () => put(this.target, input, bytes));
      if (tried !== 'try again' || this.stop.aborted) return resultOf(tried);
      await this.pause(delayMs(this.backoff, failures + 1));
    }
  }

  /** The number that the next call will have. */
  get nextCall(): number {
    return this.#call + 1;
  }

  /** Waits, unless the client is stopped. */
  async pause(ms: number): Promise<void> {
    await wait(ms, this.stop).catch(() => {});
  }

  #mutate<K extends MutationName>(operation: K, input: Operations[K]['input'], again: number | null): Promise<Tried<K>> {
    return this.#note(operation, input, again, async () => {
      const data = await createRequester(this.target).request(documents[operation], { input }, { timeoutSeconds: 10 });
      return data[operation];
    });
  }

  /** Notes the intention, acts, and notes the outcome. */
  async #note<K extends OperationName>(
    operation: K,
    input: Operations[K]['input'],
    again: number | null,
    act: () => Promise<Operations[K]['result']>,
  ): Promise<Tried<K>> {
    const call = ++this.#call;
    // Cast: TypeScript does not see that K and its input form a member of `Asked`.
    this.notebook.write({ kind: 'asked', call, again, operation, input } as Parameters<Notebook['write']>[0]);
    try {
      const result = await act();
      this.notebook.write({ kind: 'answered', call, operation, result } as Parameters<Notebook['write']>[0]); // as above
      return { result };
    } catch (error) {
      if (error instanceof RequestRefused) this.notebook.write({ kind: 'refused', call, code: error.code, message: error.message });
      else if (error instanceof GatewayUnreachable)
        this.notebook.write({ kind: 'lost', call, isSent: !error.message.includes('ECONNREFUSED'), why: error.message });
      else throw error;
      this.#at = (this.#at + 1) % this.settings.urls.length;
      return error instanceof RequestRefused && !passing.has(error.code) ? 'never' : 'try again';
    }
  }
}

const resultOf = <K extends OperationName>(tried: Tried<K>): Outcome<K> => (typeof tried === 'string' ? null : tried.result);

async function put(target: Target, { url, sizeBytes }: UploadInput, bytes: Buffer): Promise<UploadResult> {
  try {
    const response = await fetch(resolveUrl(target, url), {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) },
      body: new Uint8Array(bytes),
      signal: AbortSignal.timeout(10_000),
    });
    const body = (await response.json()) as { sha256?: string; errors?: { message: string; extensions?: { code?: string } }[] }; // the answer of the file endpoint
    if (response.status >= 500) throw new GatewayUnreachable(`HTTP ${response.status}`);
    if (response.ok && body.sha256 !== undefined) return { __typename: 'Uploaded', sha256: body.sha256 };
    const { message = '', extensions } = body.errors?.[0] ?? {};
    return { __typename: 'UploadRefused', status: response.status, code: extensions?.code ?? '', message };
  } catch (error) {
    if (error instanceof GatewayUnreachable) throw error;
    throw new GatewayUnreachable(messageOf(error instanceof Error && error.cause instanceof Error ? error.cause : error));
  }
}
