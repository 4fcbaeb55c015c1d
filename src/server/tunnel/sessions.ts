/**
 * WebSockets into running steps: commands and forwarded ports. `schema/steps/entering.ts` says what
 * a client sends and gets.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';
import { invalidSessionToken, RequestRefused } from '../../domain/core/request-refusals.ts';
import type { Grant } from '../../domain/steps/grants.ts';
import {
  attemptName,
  bytesOfFrames,
  type ExecStart,
  FRAME,
  FrameReader,
  frame,
  framesOfBytes,
  MOST_FRAME_BYTES,
  problemFrame,
  type SessionProblem,
  wholeFrames,
} from '../../tunnel/protocol.ts';
import type { Limits } from '../limits.ts';
import type { Passage, Passages } from './passage.ts';
import { type Tunnels, Unreachable } from './tunnels.ts';

export interface SessionParts {
  readonly limits: Pick<Limits, 'initMs' | 'pingMs'>;
  readonly tunnels: Tunnels;
  readonly passages: Passages;
  /** A valid grant. Null for any other text. */
  readGrant(token: string): Promise<Grant | null>;
  /** Called for whatever is no refusal. Returns what the client may be told. */
  mask(error: unknown): SessionProblem;
}

/** Why a socket is closed, as the others of the gateway are (websocket/socket.ts). */
const UNAUTHORIZED = 4401;
const NORMAL = 1000;

export class StepSessions {
  readonly #parts: SessionParts;
  readonly #sockets: WebSocketServer;
  readonly #open = new Set<WebSocket>();
  /** The grants of commands that were used, with the time until which they would be valid. */
  readonly #used = new Map<string, number>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: 2 * MOST_FRAME_BYTES,
    });
  }

  /** Takes over a connection that asked for a session. `admit`: its client has a valid token. */
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer, admit: () => void): void {
    this.#sockets.handleUpgrade(request, connection, head, (socket) => {
      this.#open.add(socket);
      const stopPings = keepAlive(socket, this.#parts.limits.pingMs);
      socket.once('close', () => {
        this.#open.delete(socket);
        stopPings();
      });
      void this.#serve(socket, admit);
    });
  }

  close(): void {
    for (const socket of this.#open) socket.terminate();
  }

  async #serve(socket: WebSocket, admit: () => void): Promise<void> {
    // From the beginning, because messages may follow the first one at once.
    const client = createWebSocketStream(socket, { readableObjectMode: true });
    client.on('error', () => {});
    const end = (why: SessionProblem) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(problemFrame(why));
      socket.close(why.code === 'UNAUTHENTICATED' ? UNAUTHORIZED : NORMAL);
    };
    let passage: Passage | null = null;
    let step: Duplex | null = null;
    // The stream of a socket does not close with it.
    socket.once('close', () => step?.destroy());
    try {
      const token = await readFirst(client, this.#parts.limits.initMs);
      const grant = token === null ? null : await this.#parts.readGrant(token);
      if (!grant || !this.#take(grant)) return end(invalidSessionToken());
      admit();
      passage = this.#parts.passages.open(grant.principal, (why) => {
        end(why);
        step?.destroy();
      });
      step = await this.#connect(grant);
      if (socket.readyState !== WebSocket.OPEN) return;
      await join(client, step, passage, grant.purpose.kind === 'EXEC');
    } catch (error) {
      const isRefusal = error instanceof Unreachable || error instanceof RequestRefused;
      end(isRefusal ? error : this.#parts.mask(error));
    } finally {
      step?.destroy();
      passage?.close();
      if (socket.readyState === WebSocket.OPEN) socket.close(NORMAL);
    }
  }

  /** A command is run once, whoever else gets hold of its token. */
  #take({ id, purpose }: Grant): boolean {
    if (purpose.kind === 'HTTP') return false;
    if (purpose.kind === 'FORWARD') return true;
    const now = performance.now();
    for (const [used, until] of this.#used) if (until < now) this.#used.delete(used);
    if (this.#used.has(id)) return false;
    this.#used.set(id, now + USED_MS);
    return true;
  }

  #connect({ step, purpose }: Grant): Promise<Duplex> {
    const attempt = attemptName(step.id, step.attemptCount);
    const deviceId = step.leaseDeviceId ?? '';
    if (purpose.kind === 'FORWARD') return this.#parts.tunnels.connect(deviceId, attempt, purpose.port);
    const { command } = purpose.kind === 'EXEC' ? purpose : { command: [] };
    return this.#parts.tunnels.exec(deviceId, attempt, frame(FRAME.START, JSON.stringify({ command } satisfies ExecStart)));
  }
}

/** Longer than the grant of a command is valid. */
const USED_MS = 120_000;

/**
 * Resolves when both directions have ended. A command sends frames itself, a port has bytes. Not by
 * one pipeline for each direction: when the first one ends, it would cut what the other has not yet
 * delivered.
 */
async function join(client: Duplex, step: Duplex, passage: Passage, hasFrames: boolean): Promise<void> {
  const received = client.pipe(passage.meter());
  const bytes = hasFrames ? received : readBytes(received, step);
  bytes.pipe(step);
  // Whole frames, so that a problem can be told between two of them at any time.
  const encoded = hasFrames ? [new FrameReader(), wholeFrames()] : [framesOfBytes()];
  await pipeline([step, ...encoded, passage.meter(), client], { end: false }).catch(() => {
    throw new Unreachable('REFUSED', 'The session was cut: the step has ended, or its device is away.');
  });
  // A command reads nothing once it has ended. A connection may be used in one direction alone.
  if (!hasFrames) await Promise.race([finished(bytes).catch(() => {}), finished(client).catch(() => {})]);
  client.end();
}

function readBytes(received: Readable, step: Duplex): Readable {
  const frames = received.pipe(new FrameReader());
  frames.on('error', () => step.destroy());
  return frames.pipe(bytesOfFrames());
}

/** The first message, if it is a text and comes in time. */
function readFirst(client: Readable, withinMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), withinMs);
    const look = () => {
      const message: unknown = client.read();
      if (message === null) return;
      done(typeof message === 'string' ? message : null);
    };
    const gone = () => done(null);
    const done = (token: string | null) => {
      clearTimeout(timer);
      client.off('readable', look);
      client.off('close', gone);
      resolve(token);
    };
    client.on('readable', look);
    client.once('close', gone);
  });
}

/** Ends a socket whose client has not answered a ping before the next. */
function keepAlive(socket: WebSocket, everyMs: number): () => void {
  let isAnswered = true;
  socket.on('pong', () => {
    isAnswered = true;
  });
  const timer = setInterval(() => {
    if (!isAnswered) return socket.terminate();
    isAnswered = false;
    socket.ping();
  }, everyMs).unref();
  return () => clearInterval(timer);
}
