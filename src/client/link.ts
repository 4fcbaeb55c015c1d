import { type Backoff, defaultBackoff, delayMs } from '../timing/backoff.ts';
import { type Connection, ConnectionState } from './connection.ts';
import { RequestRefused } from './errors.ts';
import { Retries } from './retries.ts';
import { onWake } from './surroundings.ts';
import type { Channel, Ending, Operation, Transport, TransportEvents } from './transport.ts';

/** Opens what carries operations until it goes down. */
export type OpenTransport = (events: TransportEvents) => Transport;

export interface LinkOptions {
  readonly openSocket: OpenTransport;
  /** The fallback where no socket opens. Without it, sockets are tried for ever. */
  readonly openEventStreams?: OpenTransport | undefined;
  /** How long the connection stays open after its last operation. */
  readonly lingerMs: number;
  readonly backoff?: Backoff | undefined;
}

/** What an operation hears of. */
export interface MemberEvents {
  /** The key is accepted, and the operation is sent: for the first time, or again. */
  onAccepted(): void;
  onData(data: Readonly<Record<string, unknown>>): void;
  /** The connection is lost or could not be opened. The operation is sent again when it is back. */
  onLost(reason: string): void;
  /** The operation is over; `closed` with the client. */
  onEnd(ending: Ending | { readonly kind: 'closed' }): void;
}

interface Carrier {
  readonly via: Connection['via'];
  readonly transport: Transport;
}

interface Member {
  readonly operation: () => Operation;
  readonly events: MemberEvents;
  channel: Channel | undefined;
  isPaused: boolean;
  stopTimer: ReturnType<typeof setTimeout> | undefined;
}

/** A place for an operation, which outlives connections. */
export interface Place {
  /** Leaves. No callback follows. */
  leave(): void;
  /** Delivers nothing more until `resume`. */
  pause(): void;
  resume(): void;
}

/**
 * Close codes that another try would meet again: bad protocol, too large a message, bad request,
 * bad response, revoked or unknown key, wrong subprotocol. All others are tried again; the
 * gateway's own are 1012 (restart), 1013 (too slow) and 4403 (expired).
 */
const finalCloseCodes = new Set([1002, 1003, 1007, 1008, 1009, 1010, 4004, 4400, 4401, 4406, 4409]);

/** A gateway's internal error may pass. This many in a row do not. */
export const faultsBeforeGivingUp = 5;

/** After this many sockets in a row that never opened, the fallback is tried. */
const socketsBeforeFallback = 2;

/** By the fallback, a socket is tried again after these pauses. */
const probePauses: Backoff = { baseMs: 5_000, capMs: 300_000, random: Math.random };

/**
 * One connection for all operations, opened with the first and closed after the last. When it is
 * lost, it is opened again with growing pauses, and each operation is sent as it is then: from the
 * cursor that it has reached.
 *
 *     idle ──first operation──▶ connecting ──▶ live ◀──▶ reconnecting ──30 s──▶ offline
 *       ◀──────────── last operation left, or the key refused ────────────┘
 */
export class Link {
  readonly state = new ConnectionState();
  readonly #options: LinkOptions;
  readonly #retries: Retries;
  readonly #members = new Set<Member>();
  /** What carries the operations, perhaps still opening. */
  #carrier: Carrier | undefined;
  #isUp = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;
  #probeTimer: ReturnType<typeof setTimeout> | undefined;
  /** A socket that is tried beside event streams. */
  #probed: Carrier | undefined;
  #probes = 0;
  #stopWaking: (() => void) | undefined;
  /** Sockets in a row that never opened. */
  #unopened = 0;
  #faults = 0;
  #isClosed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#retries = new Retries(options.backoff ?? defaultBackoff);
  }

  /** Takes an operation in, and sends it as soon as there is a connection. */
  join(operation: () => Operation, events: MemberEvents): Place {
    const member: Member = { operation, events, channel: undefined, isPaused: false, stopTimer: undefined };
    if (this.#isClosed) queueMicrotask(() => events.onEnd({ kind: 'closed' }));
    else this.#add(member);
    return {
      leave: () => {
        if (!this.#members.delete(member)) return;
        member.channel?.close();
        this.#leaveIfUnused();
      },
      pause: () => this.#pause(member),
      resume: () => this.#resume(member),
    };
  }

  #add(member: Member): void {
    this.#members.add(member);
    clearTimeout(this.#lingerTimer);
    this.#lingerTimer = undefined;
    if (this.#carrier) this.#send(member);
    else if (this.#retryTimer === undefined) this.#begin();
  }

  /** Tries now what would be tried later, and makes sure that what seems to live does. */
  wake(): void {
    if (this.#retryTimer !== undefined) this.#try();
    else this.#carrier?.transport.check();
  }

  /** For good. */
  close(): void {
    this.#isClosed = true;
    const members = [...this.#members];
    this.#members.clear();
    this.#rest(null);
    for (const { events } of members) events.onEnd({ kind: 'closed' });
  }

  #send(member: Member): void {
    if (member.isPaused) return;
    const end = (ending: Ending) => {
      // A key that is refused to one is refused to all.
      if (ending.kind === 'refused' && ending.error.code === 'UNAUTHENTICATED') {
        this.#refuse(ending.error);
        return;
      }
      this.#members.delete(member);
      member.events.onEnd(ending);
      this.#leaveIfUnused();
    };
    member.channel = this.#carrier?.transport.open(member.operation, {
      onAccepted: () => member.events.onAccepted(),
      onData: (data) => {
        this.#faults = 0;
        member.events.onData(data);
      },
      onEnd: end,
    });
  }

  /**
   * Where reading cannot pause, the operation is stopped, and sent again later. That is not done at
   * once: many messages may have arrived in one piece, and the consumer had no turn yet.
   */
  #pause(member: Member): void {
    if (member.isPaused || !this.#members.has(member)) return;
    member.isPaused = true;
    if (member.channel?.pause) {
      member.channel.pause();
      return;
    }
    member.stopTimer = setTimeout(() => {
      member.channel?.close();
      member.channel = undefined;
    });
  }

  #resume(member: Member): void {
    if (!member.isPaused || !this.#members.has(member)) return;
    member.isPaused = false;
    clearTimeout(member.stopTimer);
    if (!member.channel) this.#send(member);
    else member.channel.resume?.();
  }

  /** From idle. */
  #begin(): void {
    this.#stopWaking = onWake(() => this.wake());
    this.state.begin();
    this.#try();
  }

  #try(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#use(this.#open(this.#isFallbackDue() ? 'sse' : 'websocket'));
  }

  #isFallbackDue(): boolean {
    return this.#options.openEventStreams !== undefined && this.#unopened >= socketsBeforeFallback;
  }

  #open(via: Connection['via']): Carrier {
    const { openSocket, openEventStreams = openSocket } = this.#options;
    let isUp = false;
    const ifUsed = (act: () => void) => {
      if (this.#carrier === carrier) act();
    };
    const transport = (via === 'websocket' ? openSocket : openEventStreams)({
      onUp: () => {
        isUp = true;
        if (this.#carrier !== carrier) this.#changeTo(carrier);
        this.#enterUp(via);
      },
      onHeard: () => ifUsed(() => this.#isUp && this.state.hear()),
      onLatency: (ms) => ifUsed(() => this.state.measure(ms)),
      onSilent: () => ifUsed(() => this.state.lose('nothing was heard for a while')),
      onDown: (code, reason) => {
        if (this.#carrier === carrier) this.#lose(via, isUp, code, reason);
        else this.#probeLater();
      },
    });
    const carrier: Carrier = { via, transport };
    return carrier;
  }

  #use(carrier: Carrier): void {
    this.#carrier = carrier;
    for (const member of this.#members) this.#send(member);
  }

  /** From event streams to a socket. Each operation goes on from the cursor that it has reached. */
  #changeTo(carrier: Carrier): void {
    this.#probed = undefined;
    this.#carrier?.transport.close();
    for (const member of this.#members) member.channel = undefined;
    this.#use(carrier);
  }

  #enterUp(via: Connection['via']): void {
    this.#isUp = true;
    this.#retries.works();
    this.#probes = 0;
    if (via === 'websocket') this.#unopened = 0;
    else this.#probeLater();
    this.state.live(via);
  }

  #lose(via: Connection['via'], wasUp: boolean, code: number | null, reason: string): void {
    this.#carrier = undefined;
    this.#isUp = false;
    this.#cancelProbe();
    const members = [...this.#members];
    for (const member of members) member.channel = undefined;
    const error = this.#finalError(code, reason);
    if (error) {
      this.#refuse(error);
      return;
    }
    if (!wasUp) this.#noteUnopened(via, code);
    const pause = this.#retries.failed();
    this.state.lose(reason);
    // After a socket that did not open, the fallback is tried at once.
    this.#retryTimer = setTimeout(() => this.#try(), via === 'websocket' && this.#isFallbackDue() ? 0 : pause);
    for (const member of members) if (this.#members.has(member)) member.events.onLost(reason);
    this.#leaveIfUnused();
  }

  /** Ends everything, since another try would be refused as well. */
  #refuse(error: RequestRefused): void {
    const members = [...this.#members];
    this.#members.clear();
    this.#rest(error.message);
    for (const { events } of members) events.onEnd({ kind: 'refused', error });
  }

  /** A socket that the gateway closed with a code of its own did open. */
  #noteUnopened(via: Connection['via'], code: number | null): void {
    if (via === 'sse') this.#unopened = socketsBeforeFallback - 1;
    else if (code === null || code === 1006) this.#unopened += 1;
  }

  #finalError(code: number | null, reason: string): RequestRefused | undefined {
    if (code === null) return undefined;
    if (code === 4401) return new RequestRefused('UNAUTHENTICATED', reason);
    if (finalCloseCodes.has(code)) return new RequestRefused('BAD_REQUEST', `${reason} (WebSocket close code ${code})`);
    if (code === 4500) this.#faults += 1;
    return this.#faults >= faultsBeforeGivingUp ? new RequestRefused('INTERNAL_ERROR', reason) : undefined;
  }

  /** Tries later whether a socket opens after all, beside the event streams. */
  #probeLater(): void {
    this.#cancelProbe();
    this.#probes += 1;
    this.#probeTimer = setTimeout(
      () => {
        this.#probed = this.#open('websocket');
      },
      delayMs(probePauses, this.#probes),
    );
  }

  #cancelProbe(): void {
    clearTimeout(this.#probeTimer);
    this.#probed?.transport.close();
    this.#probed = undefined;
  }

  #leaveIfUnused(): void {
    if (this.#members.size > 0 || !this.#stopWaking) return;
    if (this.#options.lingerMs === 0) this.#rest(null);
    else this.#lingerTimer ??= setTimeout(() => this.#rest(null), this.#options.lingerMs);
  }

  /** To idle. */
  #rest(reason: string | null): void {
    for (const timer of [this.#retryTimer, this.#lingerTimer]) clearTimeout(timer);
    this.#retryTimer = undefined;
    this.#lingerTimer = undefined;
    this.#cancelProbe();
    this.#carrier?.transport.close();
    this.#carrier = undefined;
    this.#isUp = false;
    this.#stopWaking?.();
    this.#stopWaking = undefined;
    this.state.rest(reason);
  }
}
