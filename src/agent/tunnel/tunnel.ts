/**
 * The agent's connection to its gateway, through which the gateway reaches running steps. The agent
 * opens it, so no port of the device has to be open. It is opened again whenever it ends.
 */
import { request as requestHttp } from 'node:http';
import { performServerHandshake } from 'node:http2';
import { request as requestHttps } from 'node:https';
import type { Duplex } from 'node:stream';
import { resolveUrl, type Target } from '../../client/target.ts';
import { type Backoff, delayMs, wait } from '../../timing/backoff.ts';
import { keepAlive } from '../../tunnel/keep-alive.ts';
import { TUNNEL } from '../../tunnel/protocol.ts';
import type { OpenSteps } from './open-steps.ts';
import { answerStream } from './streams.ts';

const backoff: Backoff = { baseMs: 250, capMs: 30_000, random: Math.random };

/** A tunnel that was open for so long was a good one: the next one is opened soon. */
const goodMilliseconds = 60_000;

/** How long the gateway may take to answer the request for a tunnel. */
const openMilliseconds = 15_000;

/** A ping detects that the other side is gone, and keeps proxies from closing what is idle. */
const pingMilliseconds = 20_000;

/**
 * Streams at one time, and what each may send before it is read: so many bytes of a client that
 * sends faster than its step reads are in memory.
 */
const settings = { maxConcurrentStreams: 256, initialWindowSize: 262_144, enablePush: false } as const;

export class GatewayTunnel {
  readonly #target: Target;
  readonly #steps: OpenSteps;
  readonly #hasTried = Promise.withResolvers<void>();
  #hasOpened = false;

  constructor(target: Target, steps: OpenSteps) {
    this.#target = target;
    this.#steps = steps;
  }

  /** Whether the gateway has tunnels. An older one has none. Resolves once one was tried. */
  async isOffered(): Promise<boolean> {
    await this.#hasTried.promise;
    return this.#hasOpened;
  }

  /** Keeps the tunnel open until the signal. Never rejects. */
  async keep(signal: AbortSignal): Promise<void> {
    for (let failures = 1; !signal.aborted; failures += 1) {
      const began = performance.now();
      try {
        const socket = await this.#open(signal);
        this.#hasOpened = true;
        this.#hasTried.resolve();
        await this.#serve(socket, signal);
      } catch {
        // The gateway is away, is an older one, or refuses the key. Claims report the latter.
      }
      this.#hasTried.resolve();
      if (performance.now() - began > goodMilliseconds) failures = 1;
      await wait(delayMs(backoff, failures), signal).catch(() => {});
    }
    this.#hasTried.resolve();
  }

  #open(signal: AbortSignal): Promise<Duplex> {
    const url = resolveUrl(this.#target, 'tunnel');
    const headers = { connection: 'Upgrade', upgrade: TUNNEL, authorization: `Bearer ${this.#target.token ?? ''}` };
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, { headers, agent: false, timeout: openMilliseconds });
      const abort = () => request.destroy(new Error('The agent stops.'));
      signal.addEventListener('abort', abort, { once: true });
      request.once('close', () => signal.removeEventListener('abort', abort));
      request.once('timeout', () => request.destroy(new Error('The gateway does not answer.')));
      request.once('error', reject);
      request.once('response', (response) => {
        response.destroy();
        reject(new Error(`The gateway answered ${response.statusCode}.`));
      });
      request.once('upgrade', (_response, socket, head) => {
        request.setTimeout(0);
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      request.end();
    });
  }

  /** Resolves when the tunnel has ended. */
  #serve(socket: Duplex, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const session = performServerHandshake(socket, { settings });
      const end = () => session.destroy();
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      const stopPings = keepAlive(session, pingMilliseconds);
      session.on('stream', (stream, headers) => answerStream(this.#steps, stream, headers));
      session.on('error', () => {});
      session.once('goaway', end);
      session.once('close', () => {
        stopPings();
        signal.removeEventListener('abort', end);
        socket.destroy();
        resolve();
      });
    });
  }
}
