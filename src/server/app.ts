import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import type { Principal } from '../domain/access/principal.ts';
import type { Connections } from './connections/connections.ts';
import type { Rates } from './connections/rates.ts';
import type { Tally } from './connections/tally.ts';
import type { Unsent } from './connections/unsent.ts';
import type { Readiness } from './http/health.ts';
import type { Limits } from './limits.ts';
import type { Pipeline } from './pipeline.ts';
import type { Call } from './watch/call.ts';
import type { Log } from './watch/log.ts';
import type { ServerMeters } from './watch/meters.ts';
import type { Traces } from './watch/traces.ts';

/** What the gateway hands to its server: everything that is not bytes. */
export interface ServerParts<C extends object> {
  readonly schema: GraphQLSchema;
  /** Who has this key: `authorization` is the header's value, or that of the field of connection_init's payload. Null: no or no valid key. Throws nothing. */
  authenticate(authorization: string | undefined): Promise<Principal | null>;
  /**
   * The context of one execution, with fresh loaders: called once a query or mutation, and once a frame of a subscription. `signal` is aborted
   * when nobody waits for the answer any more; `requestId` names the request in the log, and in the audit trail; `lend` is called with the bytes that are
   * about to be read, and throws LIMIT_EXCEEDED where there is no room for them; `charge` with the characters of a long text or document that was read.
   */
  context(
    principal: Principal | null,
    asked?: {
      readonly signal?: AbortSignal | undefined;
      readonly requestId?: string;
      readonly lend?: (bytes: number) => void;
      readonly charge?: (characters: number) => void;
    },
  ): C;
  /** Calls `ended` once when the principal's key expires or is revoked, or has been since it was authenticated. Returns what stops the watching. */
  onKeyEnd(principal: Principal, ended: (why: KeyEnd) => void): () => void;
  /** Other endpoints, by the path they begin with: `/fragments/`. They answer by themselves, errors included, and check their own keys. */
  readonly handlers: Readonly<Record<string, Endpoint>>;
  /** Whether the store can be read and written: what /health/ready says once the server is open. */
  ready(): Promise<Readiness>;
  /** Documents by their ids, where no others are executed; null: all are. */
  readonly trustedDocuments: ReadonlyMap<string, string> | null;
  readonly limits: Limits;
  /** What waits for consumers to take it. */
  readonly unsent: Unsent;
  /** How fast each key may ask, here and at the other endpoints. */
  readonly rates: Rates;
  readonly log: Log;
  readonly meters: ServerMeters;
  /** Null: nobody asks for traces. */
  readonly traces: Traces | null;
}

/** What all ways to `/graphql` share. */
export interface GraphqlParts<C extends object> extends ServerParts<C> {
  readonly pipeline: Pipeline<C>;
  /** Watches what is open and is written to. */
  readonly connections: Connections;
  /** The sockets and streams of each key. */
  readonly ofKey: Tally;
  readonly origins: readonly string[];
}

export type KeyEnd = 'expired' | 'revoked';
export type Endpoint = (request: IncomingMessage, response: ServerResponse, url: URL, call: Call) => Promise<void>;

/** Where to listen. */
export interface Address {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Other origins whose pages may call the gateway from a browser, like `https://console.example.com`. Default: none, only its own. */
  readonly origins?: readonly string[];
}

export interface RunningServer {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  /** From now on it says that it is ready. Until then requests are answered as well, and load balancers send none. */
  open(): void;
  /**
   * Takes no new connections, asks the clients of sockets and streams to come back (1012, spread over up to 3 s), lets requests under way
   * finish, and ends what is left after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}
