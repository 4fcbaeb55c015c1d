import type { RequestRefused } from './errors.ts';

/** A subscription as it is sent. */
export interface Operation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** How an operation ended while its transport goes on. */
export type Ending =
  /** The gateway has nothing more to send. */
  | { readonly kind: 'completed' }
  /** The gateway refused the operation. */
  | { readonly kind: 'refused'; readonly error: RequestRefused };

export interface OperationEvents {
  /** The key is accepted, and the operation is sent. */
  onAccepted(): void;
  onData(data: Readonly<Record<string, unknown>>): void;
  /** Called at most once. Not called when the transport closes. */
  onEnd(ending: Ending): void;
}

/** One operation under way. */
export interface Channel {
  /** Ends the operation. No callback follows. */
  close(): void;
  /**
   * Reads no more, so that the gateway's limits apply to a slow consumer. Undefined where a
   * transport cannot stop reading one operation.
   */
  readonly pause?: () => void;
  readonly resume?: () => void;
}

export interface TransportEvents {
  /** The gateway accepted the key. */
  onUp(): void;
  /** Something arrived, whatever it was. */
  onHeard(): void;
  /** How long the answer to a ping took. */
  onLatency(ms: number): void;
  /** Nothing was heard for too long, perhaps because this machine slept. A ping is under way. */
  onSilent(): void;
  /**
   * It is over with all its operations. Called at most once, and not after `close`. `code` is the
   * WebSocket's close code where there was one.
   */
  onDown(code: number | null, reason: string): void;
}

/** Carries operations to one gateway until it goes down once. It never retries. */
export interface Transport {
  /** Reads the operation whenever it sends it: its cursor moves. */
  open(operation: () => Operation, events: OperationEvents): Channel;
  /** Makes sure now that the gateway still answers. */
  check(): void;
  /** Ends it. No callback follows. */
  close(): void;
}

/** A host that drops packets must not hold a try for the minutes that the system allows. */
export const openTimeoutMs = 10_000;
