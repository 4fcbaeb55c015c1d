import { EventEmitter, once } from 'node:events';
import type { Principal } from '../../src/domain/access/principal.ts';
import type { Address, Endpoint, KeyEnd, RunningServer } from '../../src/server/app.ts';
import { Rates } from '../../src/server/connections/rates.ts';
import { Unsent } from '../../src/server/connections/unsent.ts';
import type { Readiness } from '../../src/server/http/health.ts';
import { startServer } from '../../src/server/http.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/server/limits.ts';
import { ServerInstruments } from '../../src/server/watch/instruments.ts';
import type { Level, Log } from '../../src/server/watch/log.ts';
import { buildSampleSchema, type SampleContext } from './sample-schema.ts';
import { Source } from './source.ts';

const NOBODY: Principal = {
  kind: 'USER',
  role: 'ADMIN',
  name: 'user:nobody',
  keyId: null,
  projectId: null,
  jobId: null,
  deviceId: null,
  stepId: null,
  attempt: null,
  expiresAt: null,
};

/**
 * `tyk_NAME` is the key of user:NAME, an admin, and `tyk_viewer-NAME` that of a viewer. Every other
 * key is invalid.
 */
function principalOf(authorization: string | undefined): Principal | null {
  const name = /^Bearer tyk_(.+)$/.exec(authorization ?? '')?.[1];
  if (!name) return null;
  return { ...NOBODY, name: `user:${name}`, keyId: `key_${name}`, role: name.startsWith('viewer-') ? 'VIEWER' : 'ADMIN' };
}

export interface SampleServer extends RunningServer {
  readonly source: Source;
  readonly log: Record<string, unknown>[];
  /** Resolves when this message has been logged. */
  logged(message: string): Promise<void>;
  readonly instruments: ServerInstruments;
  /** The number of contexts that were made. */
  contexts(): number;
  /** Ends every key that is watched. */
  endKeys(why: KeyEnd): void;
  /** The number of watched keys. */
  watchedKeys(): number;
  /** Posts `body` as JSON, with alice's key unless the headers say otherwise. */
  post(body: unknown, headers?: Record<string, string>): Promise<{ status: number; headers: Headers; body: Body }>;
}

export interface Body {
  data?: Record<string, unknown> | null;
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[];
}

export interface SampleOptions {
  readonly limits?: Partial<Limits>;
  readonly origins?: Address['origins'];
  readonly handlers?: Record<string, Endpoint>;
  readonly ready?: () => Promise<Readiness>;
  /** Default: yes. */
  readonly isOpen?: boolean;
  readonly trustedDocuments?: ReadonlyMap<string, string>;
  /** The clock of the rates, in milliseconds. */
  readonly now?: () => number;
}

function collectLog(entries: Record<string, unknown>[], written: EventEmitter): Log {
  const at = (level: Level) => (message: string, fields?: object) => {
    entries.push({ level, message, ...fields });
    written.emit(message);
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), has: () => true };
}

/** A server on a free port, with the sample schema behind it. */
export async function startSample(options: SampleOptions = {}): Promise<SampleServer> {
  const source = new Source();
  const log: Record<string, unknown>[] = [];
  const written = new EventEmitter();
  const ends = new Set<(why: KeyEnd) => void>();
  const instruments = new ServerInstruments();
  let contexts = 0;
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const unsent = new Unsent(limits);
  const server = await startServer<SampleContext>(
    {
      schema: buildSampleSchema(source),
      authenticate: ({ authorization }) => Promise.resolve(principalOf(authorization)),
      context: (principal) => {
        contexts += 1;
        return { name: principal?.name ?? '', number: contexts };
      },
      onKeyEnd: (_principal, ended) => {
        ends.add(ended);
        return () => ends.delete(ended);
      },
      handlers: options.handlers ?? {},
      steps: null,
      ready: options.ready ?? (() => Promise.resolve({ isReadable: true, isWritable: true })),
      trustedDocuments: options.trustedDocuments ?? null,
      limits,
      unsent,
      rates: new Rates(limits, options.now),
      log: collectLog(log, written),
      instruments,
      traces: null,
    },
    { host: '127.0.0.1', port: 0, ...(options.origins ? { origins: options.origins } : {}) },
  );
  if (options.isOpen !== false) server.open();
  return {
    ...server,
    source,
    log,
    async logged(message) {
      if (!log.some((entry) => entry.message === message)) await once(written, message);
    },
    instruments,
    contexts: () => contexts,
    endKeys: (why) => {
      for (const ended of ends) ended(why);
    },
    watchedKeys: () => ends.size,
    async post(body, headers = {}) {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer tyk_alice', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      // The tests check the body further.
      return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
    },
  };
}
