import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GraphQLSchema } from 'graphql';
import type { Principal } from '../domain/access/principal.ts';
import type { Connections } from './connections/connections.ts';
import type { Rates } from './connections/rates.ts';
import type { Tally } from './connections/tally.ts';
import type { TimeLimit } from './connections/time-limit.ts';
import type { Unsent } from './connections/unsent.ts';
import type { Credentials } from './http/credentials.ts';
import type { Readiness } from './http/health.ts';
import type { Limits } from './limits.ts';
import type { Pipeline } from './pipeline.ts';
import type { Call } from './watch/call.ts';
import type { ServerInstruments } from './watch/instruments.ts';
import type { Log } from './watch/log.ts';
import type { Traces } from './watch/traces.ts';

/** What the gateway passes to its server: everything except the transports. */
export interface ServerParts<C extends object> {
  readonly schema: GraphQLSchema;
  /**
   * Authenticates a key or a session (http/credentials.ts). Null: none, or an invalid one. Not a
   * promise where the key is known. Never throws.
   */
  authenticate(credentials: Credentials): Promise<Principal | null> | Principal | null;
  /**
   * The context of one execution, with fresh loaders. Called once for a query or mutation, and once
   * for each frame of a subscription. Its `signal` is aborted when nobody waits for the answer.
   * `requestId` names the request in the log and in the audit trail. `lend` is called with a number
   * of bytes before they are read, and throws LIMIT_EXCEEDED if there is no room for them. `charge`
   * is called with the characters of a long text or document that was read.
   */
  context(
    principal: Principal | null,
    asked?: {
      readonly signal?: () => AbortSignal;
      readonly requestId?: string;
      readonly lend?: (bytes: number) => void;
      readonly charge?: (characters: number) => void;
      /** Documents stay text: Answers writes them as they are stored. */
      readonly areTexts?: boolean;
    },
  ): C;
  /**
   * Calls `ended` once when the principal's key expires or is revoked, also if that happened since
   * it was authenticated. Returns a function that stops watching.
   */
  onKeyEnd(principal: Principal, ended: (why: KeyEnd) => void): () => void;
  /**
   * Other endpoints by the start of their path, such as `/fragments/`. Each checks keys and answers
   * errors itself.
   */
  readonly handlers: Readonly<Record<string, Endpoint>>;
  /** The way into running steps. Null: there is none. */
  readonly steps: StepEndpoint | null;
  /** Whether the store can be read and written. For /health/ready. */
  ready(): Promise<Readiness>;
  /** The trusted documents by id. Null: every document is executed. */
  readonly trustedDocuments: ReadonlyMap<string, string> | null;
  readonly limits: Limits;
  /** Counts the bytes that were produced but not sent. */
  readonly unsent: Unsent;
  /** The rate limits, shared with the other endpoints. */
  readonly rates: Rates;
  readonly log: Log;
  readonly instruments: ServerInstruments;
  /** Null: tracing is off. */
  readonly traces: Traces | null;
}

/** What all transports of `/graphql` share. */
export interface GraphqlParts<C extends object> extends ServerParts<C> {
  readonly pipeline: Pipeline<C>;
  /** The limit `bodyMs`. */
  readonly bodyTime: TimeLimit;
  /** Watches open connections. */
  readonly connections: Connections;
  /** Counts the sockets and streams of each key. */
  readonly ofKey: Tally;
  readonly origins: readonly string[];
}

export type KeyEnd = 'expired' | 'revoked';
export type Endpoint = (request: IncomingMessage, response: ServerResponse, url: URL, call: Call) => Promise<void>;

/** An endpoint that takes its requests whole: any method, any path behind its own, and upgrades. */
export interface StepEndpoint {
  /** Whether the request is for it. */
  serves(request: IncomingMessage): boolean;
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Whether it takes over the connection of this request. */
  isUpgrade(request: IncomingMessage): boolean;
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void;
  /** Ends what is open. */
  close(): void;
}

/** Where to listen. */
export interface Address {
  readonly host: string;
  /** 0 chooses a free one. */
  readonly port: number;
  /**
   * Other origins whose pages may call the gateway from a browser, like
   * `https://console.example.com`. By default, only its own may.
   */
  readonly origins?: readonly string[];
}

export interface RunningServer {
  /** `http://host:port`, without a trailing slash. */
  readonly url: string;
  /** Reports ready from now on. Earlier requests are answered too, but load balancers send none. */
  open(): void;
  /**
   * Accepts no new connections, asks the clients of sockets and streams to reconnect (1012, spread
   * over up to 3 s), finishes running requests, and cuts what is left after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}
