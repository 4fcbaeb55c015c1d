/**
 * The limits on one client. A request over a limit is refused with LIMIT_EXCEEDED (or, on a socket,
 * with a close code), never with a slow answer. Values are bytes, counts and milliseconds, as the
 * names say.
 */
export interface Limits {
  /** Of an HTTP request to /graphql, as sent. Fragments are streamed and have a limit of their own. */
  readonly bodyBytes: number;
  /** How long the body of such a request may take to arrive: a client that sends a byte a minute holds no connection. */
  readonly bodyMs: number;
  /** Of the GraphQL document, before it is parsed. */
  readonly documentBytes: number;
  /** Lexical tokens of a document; the parser stops at the first one too many. GraphiQL's introspection takes about 350. */
  readonly tokens: number;
  /** Fields inside fields, fragments expanded. Introspection is exempt: graphql-js bounds its nesting itself. */
  readonly depth: number;
  /** Aliased fields of an operation, fragments expanded, `__typename` included: each alias is one more run of the same resolver. */
  readonly aliases: number;
  /** Fields of Query, Mutation or Subscription in one operation, fragments expanded. */
  readonly rootFields: number;
  /** Directives of an operation, fragments expanded. */
  readonly directives: number;
  /** What `first`, `last` and `ids` may ask for at most. */
  readonly pageSize: number;
  /** Nodes that an operation's answer may hold, or a frame of a subscription (cost.ts says what counts). */
  readonly cost: number;
  /** Characters of an operation's answer, or of a frame, that its long texts, documents and lists may take (schema/core/response-budget.ts says which). */
  readonly answerBytes: number;
  /** Unsent bytes of answers and frames on one connection. A larger one passes if it is alone. */
  readonly connectionUnsentBytes: number;
  /** The same for all connections of one key. */
  readonly keyUnsentBytes: number;
  /**
   * The same for all clients of the gateway. It bounds the memory that clients cost which do not
   * read.
   */
  readonly unsentBytes: number;
  /**
   * Of a query, and of the execution of one frame of a subscription. Mutations have no such limit: one that is answered "too slow" may
   * take effect a moment later, and claimNextSteps waits for work on purpose.
   */
  readonly executionMs: number;
  /** Of one WebSocket message from a client. */
  readonly messageBytes: number;
  /** From the opening of a socket to its connection_init. */
  readonly initMs: number;
  /** Operations under way on one socket. */
  readonly subscriptionsPerSocket: number;
  /** Sockets and SSE streams that are open with one key. */
  readonly socketsPerKey: number;
  /** Sockets of one address (of IPv6: of one /64) that have not shown a key yet. */
  readonly strangersPerAddress: number;
  /** Connections of one address (of IPv6: of one /64) whose clients have not shown a key: those that have been silent longest give way. */
  readonly connectionsPerAddress: number;
  /** From the opening of a connection, or the end of the answer before, to the end of a request's headers. */
  readonly headerMs: number;
  /** Points a second that operations with one key may take (rates.ts says what takes how many); null: as fast as they can. */
  readonly keyRate: number | null;
  /** Points that a key which was quiet may take at once. */
  readonly keyBurst: number;
  /** Requests a second without a valid key from one address; null: as fast as they can. */
  readonly strangerRate: number | null;
  /** Such requests that may come at once. */
  readonly strangerBurst: number;
  /** How long a consumer may accept nothing of its unsent bytes before it is disconnected. */
  readonly stallMs: number;
  /** Between the pings that find out about dead peers, on sockets and SSE streams alike. Below the 30 to 60 s of usual proxies. */
  readonly pingMs: number;
}

/** The limits of docs and promises (sources: OWASP's GraphQL and WebSocket cheat sheets, graphql-armor, GitHub's and Shopify's published ones). */
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
  answerBytes: 64_000_000,
  // A few frames (domain/core/limits.ts, frameBytes), so that the next one is ready when one has left.
  connectionUnsentBytes: 1_048_576,
  // Each of 100 sockets that do not read holds a frame, or some notebook that is slow a few large answers.
  keyUnsentBytes: 33_554_432,
  // Four keys at their limit. In memory a text has one or two bytes a character, and the gateway itself 250 MB: below 600 MB in all.
  unsentBytes: 134_217_728,
  executionMs: 10_000,
  messageBytes: 65_536,
  initMs: 3_000,
  subscriptionsPerSocket: 50,
  socketsPerKey: 200,
  strangersPerAddress: 20,
  // A browser opens six; a proxy in front of the gateway has many, on which keys are shown at once.
  connectionsPerAddress: 64,
  headerMs: 10_000,
  // Ten agents with ten steps each that report twice a second, and as much again; a loop without a pause does several thousand.
  keyRate: 1_000,
  // A notebook that opens some hundred curves, or a gateway's clients that all come back.
  keyBurst: 10_000,
  // Nobody guesses 256 bits: this bounds what a loop costs. Behind a proxy all strangers have one address, so it is not narrow.
  strangerRate: 50,
  strangerBurst: 1_000,
  stallMs: 30_000,
  pingMs: 12_000,
} as const satisfies Limits;
