/**
 * The ground of the tests of the five systems: one running gateway per database and file, and
 * callers with keys.
 */
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type Payload, unwrap } from '../../src/client/errors.ts';
import type { TypedDocumentString } from '../../src/client/generated.ts';
import { subscribe } from '../../src/client/node/subscribe.ts';
import { createRequester } from '../../src/client/request.ts';
import type { Delivery } from '../../src/client/subscription.ts';
import { resolveUrl, type Target } from '../../src/client/target.ts';
import { startCommand } from '../cli/processes.ts';
import { describeOnEachStore } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

/** A caller with a key. */
export interface Caller {
  readonly target: Target;
  /** Returns the data of a query or mutation. Throws RequestRefused if it is refused as a whole. */
  ask<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data>;
  /** Over its own socket, closed after the test. */
  watch<Data, Variables extends Record<string, unknown>>(
    document: TypedDocumentString<Data, Variables>,
    variables: Variables,
  ): AsyncIterableIterator<Delivery<Data>>;
}

export interface AgentProcess {
  /** The agent's folder. */
  readonly workDir: string;
  /** The agent's output. */
  output(): string;
}

export interface System {
  readonly gateway: Gateway;
  /** With a key that has every right. */
  readonly admin: Caller;
  as(token: string): Caller;
  /** PUTs a fragment's bytes to the address from createFragment. */
  put(uploadUrl: string | null | undefined, bytes: string | Uint8Array): Promise<Response>;
  /** GETs a fragment's bytes, without a key. */
  get(downloadUrl: string | null | undefined): Promise<Response>;
  /** Starts `trainyard agent`, which ends after the test. */
  startAgent(flags: readonly string[], options?: { readonly token?: string; readonly path?: string }): AgentProcess;
}

/** Runs the tests on each database. */
export function describeSystem(name: string, define: (system: System) => void): void {
  describeOnEachStore(name, (_open, create) => {
    let gateway: Gateway | undefined;
    let endings: (() => unknown)[] = [];
    const running = () => {
      if (!gateway) throw new Error('The gateway runs in tests and in beforeAll, not where they are defined.');
      return gateway;
    };
    const as = (token: string): Caller => {
      const target = { url: running().url, token };
      const client = createRequester(target);
      return {
        target,
        ask: (document, variables) => client.request(document, variables, { timeoutSeconds: 60 }),
        watch(document, variables) {
          const stop = new AbortController();
          endings.push(() => stop.abort());
          return subscribe(target, document, variables, { signal: stop.signal });
        },
      };
    };
    const urlOf = (path: string | null | undefined) => resolveUrl({ url: running().url }, path ?? 'no-such-place');

    beforeAll(async () => {
      gateway = await startGateway({ database: await create() });
    });
    afterEach(async () => {
      for (const end of endings) await end();
      endings = [];
    });
    afterAll(() => gateway?.stop());

    define({
      get gateway() {
        return running();
      },
      get admin() {
        return as(running().adminKey);
      },
      as,
      put: (path, bytes) => fetch(urlOf(path), { method: 'PUT', body: typeof bytes === 'string' ? bytes : new Uint8Array(bytes) }),
      get: (path) => fetch(urlOf(path)),
      startAgent(flags, { token = running().adminKey, path = process.env.PATH ?? '' } = {}) {
        const workDir = createFolder('agent');
        const settings = { TRAINYARD_URL: running().url, TRAINYARD_TOKEN: token, PATH: path };
        const agent = startCommand(workDir, ['agent', '--work-dir', workDir, '--grace-seconds', '1', ...flags], settings);
        endings.push(() => {
          agent.kill('SIGTERM');
          return agent.ended;
        });
        return { workDir, output: () => agent.stdout() + agent.stderr() };
      },
    });
  });
}

type Result = { readonly __typename: string };

/** The payload of a mutation. Throws the refusal. */
export function done<R extends Result>(result: R): Payload<R> {
  return unwrap(result);
}

/**
 * The refusal of a mutation: its code and the other machine-readable parts, without texts for
 * people. Paths of an INVALID_INPUT have the form `a.0.b`.
 */
export function refused(result: Result): Record<string, unknown> {
  expect(result.__typename, JSON.stringify(result)).toMatch(/Error$/);
  const refusal: Record<string, unknown> = { ...result };
  delete refusal.__typename;
  delete refusal.message;
  if (Array.isArray(refusal.issues)) refusal.issues = refusal.issues.map(({ path }: { path: string[] }) => path.join('.'));
  return refusal;
}

/** The next delivery that fulfils `isSo`. */
export async function next<T>(stream: AsyncIterableIterator<T>, isSo: (value: T) => boolean = () => true): Promise<T> {
  for (;;) {
    const { done, value } = await stream.next();
    if (done) throw new Error('The stream ended.');
    if (isSo(value)) return value;
  }
}
