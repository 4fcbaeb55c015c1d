/**
 * The catalogue of top-level errors: every code with its meaning, and every sentence. A correct
 * client never causes most of them. The server adds what HTTP needs: a status, and headers.
 *
 * refusals.ts is the other half of the catalogue: what a mutation answers as data. Syntax and
 * validation errors are graphql-js's, and websocket/socket.ts has the codes that close a socket.
 */
import type { TooManyBytes } from '../../store/files/file-store.ts';
import type { Refusal } from './refusals.ts';

/** Codes of top-level errors, in `extensions.code`. */
export const requestCodes = {
  UNAUTHENTICATED: 'The request has no key, or its key is not valid.',
  FORBIDDEN: 'The key may not do this.',
  BAD_REQUEST: 'The request is malformed, or breaks a rule that its types cannot express.',
  NOT_FOUND: 'An object that the request reads was deleted in the meantime.',
  LIMIT_EXCEEDED: 'The request exceeds a limit. `extensions.limit` names it, if it is one of docs/limits.md.',
  PERSISTED_QUERY_NOT_FOUND: 'The request has the hash of an unknown document. Send the document as well.',
  DOCUMENT_NOT_TRUSTED: 'The gateway executes only the documents of a file, and this one is not in it.',
  UNAVAILABLE: 'The store does not work at present. The same request may succeed later.',
  INTERNAL_ERROR: "A fault of the gateway. Its log has the details under the error's `id`.",
} as const;
export type RequestCode = keyof typeof requestCodes;

/** A top-level error with these extensions. Thrown in a write, it undoes the write. */
export class RequestRefused extends Error {
  readonly code: RequestCode;
  /** The code, and figures for programs. GraphQL sends them, whichever engine executes. */
  readonly extensions: { readonly code: RequestCode; readonly [name: string]: unknown };
  constructor(code: RequestCode, message: string, figures: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.extensions = { code, ...figures };
  }
}

const unauthenticated = (message: string) => new RequestRefused('UNAUTHENTICATED', message);

/** UNAUTHENTICATED. */
export const noKey = () => unauthenticated('This needs a key. Send it as `Authorization: Bearer KEY`.');
export const invalidKey = () =>
  unauthenticated('Send a valid key: "Authorization: Bearer tyk_…", or "authorization" in the payload of connection_init.');
export const keyEnded = (why: 'expired' | 'revoked') => unauthenticated(why === 'expired' ? 'The key expired.' : 'The key was revoked.');
export const noConnectionInit = () => unauthenticated('Send connection_init first.');

export const invalidSessionToken = () =>
  unauthenticated('Send the token of execInStep or forwardPort as the first message. It is valid until it, its key or the attempt ends.');

/** FORBIDDEN. `what` continues "may not". */
export const forbidden = (what: string) => new RequestRefused('FORBIDDEN', `This key may not ${what}.`);
export const foreignOrigin = () =>
  new RequestRefused('FORBIDDEN', 'Pages of this site may not call the gateway: its origin is not among --origins.');

/**
 * NOT_FOUND for an object that existed when the request began. A request reads more than once, and
 * the object may be deleted in between.
 */
export const gone = (what: string, id: string) => new RequestRefused('NOT_FOUND', `The ${what} ${id} was deleted in the meantime.`);
/** NOT_FOUND for the URL of a fragment. */
export const noFile = () => new RequestRefused('NOT_FOUND', 'There is no such fragment, or this URL is not valid any more.');

/** NOT_FOUND for a job whose HTTP port is asked for. */
export const noJobHere = (id: string) => new RequestRefused('NOT_FOUND', `There is no job ${id}.`);

/** PERSISTED_QUERY_NOT_FOUND. Apollo Client and urql recognize this message. */
export const unknownHash = () => new RequestRefused('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound');
/** DOCUMENT_NOT_TRUSTED. */
export const untrustedDocument = () =>
  new RequestRefused('DOCUMENT_NOT_TRUSTED', 'This document is not among the trusted documents of the gateway.');

/** INTERNAL_ERROR. The log has the error under this id. */
export const fault = (id: string) =>
  new RequestRefused('INTERNAL_ERROR', `Something went wrong on our side. The gateway's log has it under ${id}.`, { id });

const bad = (message: string) => new RequestRefused('BAD_REQUEST', message);

/** BAD_REQUEST. */
export const badRequest = {
  /** A refusal that is not in the result union of its mutation. */
  unexpected: ({ message }: Refusal) => bad(message),
  noJob: (argument: string, id: string) => bad(`${argument}: there is no job ${id}.`),
  noJobInProject: (argument: string, id: string, projectId: string) => bad(`${argument}: there is no job ${id} in project ${projectId}.`),
  noProject: (argument: string, id: string) => bad(`${argument}: there is no project ${id}.`),
  noDevice: (argument: string, id: string) => bad(`${argument}: there is no device ${id}.`),
  outOfRange: (argument: string, atLeast: number, atMost: number, got: number) =>
    bad(`${argument} must be from ${atLeast} to ${atMost}; got ${got}.`),
  tooSmall: (argument: string, atLeast: number, got: number) => bad(`${argument} must be at least ${atLeast}; got ${got}.`),
  tooManyEntries: (argument: string, atMost: number) => bad(`${argument}: at most ${atMost} entries.`),
  noEntries: (argument: string) => bad(`${argument} must have at least one entry.`),
  emptyEntry: (argument: string) => bad(`${argument}: an entry is empty.`),
  emptyText: (argument: string) => bad(`${argument} must not be empty.`),
  reversed: (from: number, to: number) => bad(`from must not be larger than to; got from ${from} to ${to}.`),
  tooManyWords: (argument: string, atMost: number) => bad(`${argument}: at most ${atMost} words.`),
  valueAndAbsent: (argument: string) => bad(`${argument}: give value or isAbsent, not both.`),
  /** An argument that must be given exactly if another one has this value. */
  onlyWith: (argument: string, other: string) => bad(`${argument} is for ${other} alone.`),
  neededWith: (argument: string, other: string) => bad(`${argument} is needed with ${other}.`),
  firstAndLast: () => bad('Give first or last, not both.'),
  foreignPageCursor: () => bad('after and before: this cursor was not returned by this list. Use a cursor from its edges or pageInfo.'),
  foreignStreamCursor: (argument: 'after' | 'before') =>
    bad(
      `${argument}: this cursor was not returned by this stream. Use one from its frames, or leave it out to start from the ` +
        `${argument === 'after' ? 'beginning' : 'end'}.`,
    ),
  bothDirections: () => bad('Give first and after to read forward, or last and before to read backward, not both.'),
  textLength: (argument: string, atMost: number, got: number) => bad(`${argument} must have from 1 to ${atMost} characters; got ${got}.`),
  notOneLine: (argument: string) => bad(`${argument} must be on one line.`),
  nulInId: () => bad('An id in the input contains the character NUL.'),

  // HTTP
  nothingHere: () => bad('There is nothing at this path. GraphQL is at /graphql.'),
  method: () => bad('Use POST, or GET for queries.'),
  stepPageOnly: () => bad('What a step serves is opened as a page, and is no part of a page of the gateway.'),
  serviceWorker: () => bad('A step has no service workers: one would answer for the gateway.'),
  linkEnded: () => bad('This link has ended: it, its key or the attempt of the step. Make another with openHttp.'),
  sessionMethod: () => bad('Use POST to open a session, or DELETE to end it.'),
  fileMethod: () => bad('Use PUT, GET or HEAD for a fragment.'),
  mutationByGet: () => bad('Send mutations with POST.'),
  mediaType: () => bad('Send the request as JSON in UTF-8: "Content-Type: application/json".'),
  transferCoding: () => bad('The only supported transfer coding is "chunked". Send the body without another.'),
  contentEncoding: () => bad('Send the body without a Content-Encoding.'),
  contentRange: () => bad('Content-Range is not supported. Upload the whole fragment.'),
  bodyIncomplete: () => bad('The body is incomplete.'),
  clientGone: () => bad('The client has gone.'),
  notUtf8: (what: 'body' | 'query string') => bad(`The ${what} is not UTF-8.`),
  emptyBody: () => bad('The body is empty: send {"query": "…"}.'),
  bodyNoJson: () => bad('The body is not valid JSON.'),
  noStream: () => bad('Subscribe over a WebSocket (graphql-transport-ws) or with "Accept: text/event-stream".'),
  noCursorVariable: () => bad('Last-Event-ID resumes from a cursor: pass a variable as `after` of the subscription.'),

  // Parameters
  batch: () => bad('Send one operation per request: batching is not supported.'),
  bodyNoObject: () => bad('The body must be a JSON object.'),
  /** `what` continues "must be". */
  field: (name: string, what: string) => bad(`"${name}" must be ${what}.`),
  noQuery: () => bad('"query" must be a string: the GraphQL document.'),

  // Documents
  noOperation: () => bad('The document has no operation.'),
  severalOperations: () => bad('The document has several operations: name one in operationName.'),
  noOperationNamed: (name: string) => bad(`The document has no operation named ${JSON.stringify(name)}.`),
  noTrustedDocuments: () => bad('documentId: this gateway has no trusted documents. Send the document, or its hash.'),
  otherHash: () => bad('sha256Hash is not the SHA-256 of the document in hex.'),
  otherDocument: () => bad('The document is not the trusted document of this id.'),
  idsDiffer: (one: string, other: string) => bad(`${one} and ${other} are not the same: send one of them.`),

  /** The client disconnected while its answer is still being read. */
  nobodyWaits: () => bad('The client no longer waits for this answer.'),
};

/** `asked` is null where it cannot be known. */
interface Figures {
  readonly allowed: number;
  readonly asked: number | null;
  readonly retryAfterMs?: number;
}

/** `limit` is its name in `gateway { limits }` and in docs/limits.md. */
const exceeded = (limit: string, message: string, { allowed, asked, ...rest }: Figures) =>
  new RequestRefused('LIMIT_EXCEEDED', message, { limit, allowed, asked, ...rest });
const overloaded = (message: string) => new RequestRefused('LIMIT_EXCEEDED', message);

const measured = { depth: 'levels of fields', rootFields: 'root fields', aliases: 'aliases', directives: 'directives' } as const;
/** Limits on unsent bytes, by whose answers they limit. */
export const unsentTo = {
  connectionUnsentBytes: 'this connection',
  keyUnsentBytes: 'clients with this key',
  unsentBytes: 'all clients',
} as const;
export type MeasuredLimit = keyof typeof measured;
export type UnsentLimit = keyof typeof unsentTo;

/** LIMIT_EXCEEDED. */
export const limitExceeded = {
  // No limits of docs/limits.md
  metrics: (atMost: number) => overloaded(`This job has more than ${atMost} metrics. Ask for some of them with the argument names.`),
  waitingSettings: () => overloaded('Too many jobs are waiting for their settings to be checked against this schema. Try again later.'),

  body: (allowed: number, asked: number) => exceeded('bodyBytes', `The body is larger than ${allowed} bytes.`, { allowed, asked }),
  bodyTime: (ms: number) => exceeded('bodyMs', `The body took longer than ${ms} ms to arrive.`, { allowed: ms, asked: null }),
  fragmentAnnounced: (allowed: number, asked: number) =>
    exceeded('fragmentBytesAtMost', `The fragment may have ${allowed} bytes; ${asked} were announced.`, { allowed, asked }),
  fragment: ({ message, allowed, received }: TooManyBytes) => exceeded('fragmentBytesAtMost', message, { allowed, asked: received }),

  document: (allowed: number, asked: number) =>
    exceeded('documentBytes', `The document has ${asked} bytes; ${allowed} are allowed.`, { allowed, asked }),
  tokens: (allowed: number, asked: number) => exceeded('tokens', `The document has more than ${allowed} tokens.`, { allowed, asked }),
  comparisons: (allowed: number, asked: number) =>
    exceeded('comparisons', `Too many fields have the same name: they make ${asked} pairs to compare; ${allowed} are allowed.`, {
      allowed,
      asked,
    }),
  measure: (limit: MeasuredLimit, allowed: number, asked: number) =>
    exceeded(limit, `The operation has ${asked} ${measured[limit]}; ${allowed} are allowed.`, { allowed, asked }),
  pageSize: (field: string, by: readonly string[], { allowed, asked }: { readonly allowed: number; readonly asked: number }) =>
    exceeded('pageSize', `${field}: ${by.join(' and ')} may ask for ${allowed} at most; got ${asked}.`, { allowed, asked }),
  cost: (allowed: number, asked: number | null) =>
    exceeded(
      'cost',
      `The operation may answer with ${asked === null ? 'too many nodes to count' : `${asked} nodes`}; ${allowed} are allowed. Ask for smaller pages, or for fewer lists in lists.`,
      { allowed, asked },
    ),
  executionTime: (ms: number) => exceeded('executionMs', `The operation took longer than ${ms} ms.`, { allowed: ms, asked: null }),
  answer: (allowed: number) =>
    exceeded(
      'answerBytes',
      `The long texts, documents and lists of one answer may have ${allowed} characters together. Ask for smaller pages, or for fewer of them.`,
      { allowed, asked: null },
    ),
  unsent: (limit: UnsentLimit, allowed: number) =>
    exceeded(limit, `More than ${allowed} bytes of answers to ${unsentTo[limit]} are unsent. Read the earlier answers, then try again.`, {
      allowed,
      asked: null,
    }),

  rate: (allowed: number, asked: number, retryAfterMs: number) =>
    exceeded('keyRate', `This key asks for more than ${allowed} points a second. Try again in ${retryAfterMs} ms.`, {
      allowed,
      asked,
      retryAfterMs,
    }),
  rateWithoutKey: (allowed: number, asked: number, retryAfterMs: number) =>
    exceeded('strangerRate', `Too many requests without a valid key came from your address. Try again in ${retryAfterMs} ms.`, {
      allowed,
      asked,
      retryAfterMs,
    }),
  passages: (allowed: number) =>
    overloaded(`This key has ${allowed} requests and sessions in running steps, which is the most it may have.`),
  passageBytes: (allowed: number) =>
    exceeded('passageBytes', `A request or session in a running step may have ${allowed} bytes.`, { allowed, asked: null }),
  passageTime: (ms: number) =>
    exceeded('passageMs', `A request or session in a running step may take ${ms} ms.`, { allowed: ms, asked: null }),
  streams: (allowed: number) =>
    exceeded('socketsPerKey', 'This key has too many sockets and streams open.', { allowed, asked: allowed + 1 }),
  socketsWithoutKey: (allowed: number) =>
    exceeded('strangersPerAddress', 'Too many sockets from your address have not sent a key yet.', { allowed, asked: allowed + 1 }),
  operations: (allowed: number, asked: number) =>
    exceeded('subscriptionsPerSocket', `A socket may have ${allowed} operations at a time.`, { allowed, asked }),
};
