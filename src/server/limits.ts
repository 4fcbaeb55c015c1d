/**
 * The limits on one client. A request over a limit is refused with LIMIT_EXCEEDED (or, on a socket,
 * with a close code), never with a slow answer. Values are bytes, counts and milliseconds, as the
 * names say.
 */
export interface Limits {
  /** The body of a request to /graphql, as sent. Fragments are streamed and have another limit. */
  readonly bodyBytes: number;
  /**
   * How long the body of such a request may take to arrive. Without it, a client that sends a byte
   * a minute would hold a connection.
   */
  readonly bodyMs: number;
  /** A GraphQL document, before it is parsed. */
  readonly documentBytes: number;
  /**
   * Lexical tokens of a document. The parser stops at the first token over the limit. GraphiQL's
   * introspection has about 350.
   */
  readonly tokens: number;
  /**
   * Nested levels of fields, with fragments expanded. Introspection is exempt: graphql-js limits
   * its depth itself.
   */
  readonly depth: number;
  /**
   * Aliased fields of an operation, with fragments expanded, including `__typename`. Each alias
   * runs the same resolver once more.
   */
  readonly aliases: number;
  /** Fields of Query, Mutation or Subscription in one operation, with fragments expanded. */
  readonly rootFields: number;
  /** Directives of an operation, with fragments expanded. */
  readonly directives: number;
  /** The maximum of `first` and `last`, and of the number of `ids`. */
  readonly pageSize: number;
  /** Nodes in an answer, or in a frame of a subscription. See execution/cost.ts. */
  readonly cost: number;
  /**
   * Characters of the long texts, documents and lists in an answer or a frame. See
   * schema/core/response-budget.ts.
   */
  readonly answerBytes: number;
  /** Unsent bytes of answers and frames on one connection. A larger one passes if it is alone. */
  readonly connectionUnsentBytes: number;
  /** The same for all connections of one key. */
  readonly keyUnsentBytes: number;
  /**
   * The same for all clients of the gateway. It limits the memory that clients cost which do not
   * read.
   */
  readonly unsentBytes: number;
  /**
   * The execution of a query, or of one frame of a subscription. Mutations have no such limit: a
   * mutation that was answered with "too slow" might take effect a moment later, and claimNextSteps
   * waits for work on purpose.
   */
  readonly executionMs: number;
  /** One WebSocket message from a client. */
  readonly messageBytes: number;
  /** From the opening of a socket to its connection_init. */
  readonly initMs: number;
  /** Operations that run on one socket at the same time. */
  readonly subscriptionsPerSocket: number;
  /** Open sockets and SSE streams of one key. */
  readonly socketsPerKey: number;
  /** Sockets of one IPv4 address or IPv6 /64 that have not sent a key yet. */
  readonly strangersPerAddress: number;
  /**
   * Connections of one IPv4 address or IPv6 /64 that have not sent a key. Over the limit, those
   * that have been silent longest are closed.
   */
  readonly connectionsPerAddress: number;
  /**
   * From the opening of a connection, or the end of the previous answer, to the end of a request's
   * headers.
   */
  readonly headerMs: number;
  /**
   * Points per second for the operations of one key. connections/rates.ts says what costs how many.
   * Null: unlimited.
   */
  readonly keyRate: number | null;
  /** Points that a key can spend at once after a pause. */
  readonly keyBurst: number;
  /** Requests per second without a valid key from one IPv4 address or IPv6 /64. Null: unlimited. */
  readonly strangerRate: number | null;
  /** Such requests that are accepted at once after a pause. */
  readonly strangerBurst: number;
  /** Bytes of one request, connection or command into a running step, in both directions. */
  readonly passageBytes: number;
  /** How long each of these may take. */
  readonly passageMs: number;
  /** How long a consumer may accept none of its unsent bytes before it is disconnected. */
  readonly stallMs: number;
  /**
   * The interval of the pings that detect dead peers, on sockets and SSE streams. Proxies usually
   * close a connection that is idle for 30 to 60 s.
   */
  readonly pingMs: number;
}

/**
 * The defaults. Sources: the GraphQL and WebSocket cheat sheets of OWASP, graphql-armor, and the
 * published limits of GitHub and Shopify.
 */
export const DEFAULT_LIMITS = {
  bodyBytes: 1_000_000,
  bodyMs: 30_000,
  documentBytes: 32_768,
  tokens: 1_000,
  depth: 12,
  aliases: 15,
  rootFields: 20,
  directives: 10,
  pageSize: 100,
  cost: 10_000,
  // Written in some 20 ms. A page of a hundred jobs has 80 kB for each.
  answerBytes: 8_000_000,
  // A few frames (`frameBytes` in domain/core/limits.ts), so that the next one is ready when one is
  // sent.
  connectionUnsentBytes: 1_048_576,
  // Enough for a frame on each of 100 sockets that do not read, or for a few large answers to a
  // slow notebook.
  keyUnsentBytes: 33_554_432,
  // Four keys at their limit. A text takes one or two bytes per character in memory, and the
  // gateway itself takes 250 MB: less than 600 MB in total.
  unsentBytes: 134_217_728,
  executionMs: 10_000,
  messageBytes: 65_536,
  initMs: 3_000,
  subscriptionsPerSocket: 50,
  socketsPerKey: 200,
  strangersPerAddress: 20,
  // A browser opens six. A proxy in front of the gateway opens many, but sends keys at once.
  connectionsPerAddress: 64,
  headerMs: 10_000,
  // Ten agents with ten steps each report 200 times a second, and may send as many other requests.
  // A loop without a pause sends several thousand.
  keyRate: 1_000,
  // A notebook that opens a hundred curves, or all clients of a gateway that reconnect at once.
  keyBurst: 10_000,
  // Nobody guesses 256 bits: this limits what a loop costs. It is generous, because behind a proxy
  // all clients without a key have one address.
  strangerRate: 50,
  strangerBurst: 1_000,
  stallMs: 30_000,
  // A day in a notebook, and the download of a large model.
  passageBytes: 100_000_000_000,
  passageMs: 12 * 3_600_000,
  pingMs: 12_000,
} as const satisfies Limits;
