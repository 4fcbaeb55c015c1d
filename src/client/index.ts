/**
 * The client of a Trainyard gateway, for browsers and for Node: nothing here needs `node:` modules.
 * What only Node can is in node/.
 */
export { type Client, type ClientOptions, createClient } from './client.ts';
export type { Connection, ConnectionStatus } from './connection.ts';
export { type Document, type NoVariables, type TypedDocument, typed } from './document.ts';
export type { ErrorCode } from './error-code.ts';
export {
  GatewayUnreachable,
  type InputIssue,
  isPayload,
  messageOf,
  type Payload,
  type Refusal,
  Refused,
  RequestRefused,
  retryAfterOf,
  unwrap,
} from './errors.ts';
export type { HeartbeatTimes } from './heartbeat.ts';
export type { Requester, RequestOptions } from './request.ts';
export type { Delivery, StreamStatus, SubscribeOptions } from './subscription.ts';
export { resolveUrl, type Target } from './target.ts';
