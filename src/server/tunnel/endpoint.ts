/**
 * The way into running steps: `/tunnel`, where their agents connect; `/jobs/ID/http/…`, the HTTP
 * port of a job's running step; and `/steps/session`, commands and forwarded ports.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Principal } from '../../domain/access/principal.ts';
import { requireRight, sees } from '../../domain/access/rights.ts';
import type { Domain } from '../../domain/core/domain.ts';
import { InvalidState, wrongState } from '../../domain/core/refusals.ts';
import { badRequest, invalidKey, noJobHere, RequestRefused } from '../../domain/core/request-refusals.ts';
import { findHttpStep, SESSION_PATH } from '../../domain/steps/entering.ts';
import { readGrant } from '../../domain/steps/grants.ts';
import { jobById } from '../../store/queries/rows.ts';
import type { StepRow } from '../../store/schema/tables.ts';
import { attemptName, TUNNEL } from '../../tunnel/protocol.ts';
import type { ServerParts, StepEndpoint } from '../app.ts';
import { admit } from '../connections/arrivals.ts';
import { networkOf } from '../connections/rates.ts';
import { Tally } from '../connections/tally.ts';
import { opensPage } from '../console/pages.ts';
import { createMask, type Mask } from '../errors.ts';
import { isPreflight } from '../http/cors.ts';
import { credentialsOf } from '../http/credentials.ts';
import { HttpRefusal, requirePace, refusalOf as toRefusal } from '../http/refusal.ts';
import { readTarget } from '../http/target.ts';
import { callOf } from '../watch/call.ts';
import { proxyRequest, proxyUpgrade, type StepRequest } from './http-proxy.ts';
import { Passages } from './passage.ts';
import { readStepPath, type StepPath } from './path.ts';
import { StepSessions } from './sessions.ts';
import { Tunnels, Unreachable, type UnreachableReason } from './tunnels.ts';

type Parts = Pick<ServerParts<object>, 'authenticate' | 'onKeyEnd' | 'limits' | 'rates' | 'instruments' | 'log'>;

const statusOf = { NO_TUNNEL: 503, REFUSED: 502 } as const satisfies Record<UnreachableReason, number>;

export class TunnelEndpoint implements StepEndpoint {
  readonly #domain: Domain;
  readonly #parts: Parts;
  readonly #tunnels: Tunnels;
  readonly #passages: Passages;
  readonly #sessions: StepSessions;
  readonly #strangers: Tally;
  readonly #mask: Mask;

  constructor(domain: Domain, parts: Parts) {
    this.#domain = domain;
    this.#parts = parts;
    this.#tunnels = new Tunnels(parts.limits);
    this.#passages = new Passages(parts.limits, parts.onKeyEnd);
    this.#strangers = new Tally(parts.limits.strangersPerAddress);
    const mask = createMask(parts);
    this.#mask = mask;
    this.#sessions = new StepSessions({
      limits: parts.limits,
      tunnels: this.#tunnels,
      passages: this.#passages,
      readGrant: (token) => readGrant(domain, token),
      mask: (error) => {
        const { message, extensions } = mask(error);
        return { message, code: String(extensions?.code) };
      },
    });
  }

  /** The address of a page without a key is the console's, which makes a link. */
  serves(request: IncomingMessage): boolean {
    const path = readStepPath(request.url);
    return path !== null && (path.token !== null || !opensPage(request));
  }

  isUpgrade(request: IncomingMessage): boolean {
    const { method, headers, url } = request;
    const protocol = headers.upgrade?.trim().toLowerCase();
    if (method !== 'GET') return false;
    if (protocol === TUNNEL) return readTarget(url).path === '/tunnel';
    return protocol === 'websocket' && (readTarget(url).path === SESSION_PATH || readStepPath(url) !== null);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = readStepPath(request.url);
    if (!path) throw new HttpRefusal(404, badRequest.nothingHere());
    allowItsOwnPage(path, request, response);
    if (path.token !== null && isPreflight(request)) return void response.writeHead(204).end();
    requireOwnPage(request);
    if (path.target === null) {
      const [, query = ''] = /^[^?]*(\?.*)?$/.exec(request.url ?? '') ?? [];
      return void response.writeHead(308, { location: `${path.prefix}/${query}` }).end();
    }
    try {
      const { principal, step } = await this.#admit(path, request, response);
      const cut = () => response.destroy();
      await this.#pass({ request, path, target: path.target }, principal, step, cut, (asked) => proxyRequest(asked, response));
    } catch (error) {
      if (response.headersSent) return void response.destroy();
      // Another link has to be made, by whoever is signed in.
      if (error instanceof LinkEnded && opensPage(request))
        return void response.writeHead(302, { location: `/jobs/${path.jobId}/http` }).end();
      throw refusalOf(error);
    }
  }

  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    connection.on('error', () => connection.destroy());
    const { path } = readTarget(request.url);
    const refuse = (error: unknown) => this.#refuse(request, connection, error);
    if (path === SESSION_PATH) this.#openSession(request, connection, head);
    else if (path === '/tunnel') this.#openTunnel(request, connection, head).catch(refuse);
    else this.#openWebSocket(request, connection, head).catch(refuse);
  }

  close(): void {
    this.#sessions.close();
    this.#tunnels.close();
  }

  /** Who asks, and for which step. Throws a refusal. */
  async #admit(path: StepPath, request: IncomingMessage, response?: ServerResponse): Promise<{ principal: Principal; step: StepRow }> {
    const { rates } = this.#parts;
    if (path.token !== null) {
      const grant = await readGrant(this.#domain, path.token);
      if (grant?.purpose.kind !== 'HTTP' || grant.step.jobId !== path.jobId) {
        requirePace(rates.takeOfStranger(request));
        throw new LinkEnded();
      }
      admit(request);
      requirePace(rates.takeOf(grant.principal, 1, response));
      return grant;
    }
    const principal = await this.#requireKey(request, response);
    requireRight(principal, 'openHttp');
    const [job] = await this.#domain.store.read.run(jobById, { id: path.jobId });
    if (!job || !sees(principal, { projectId: job.projectId, jobId: job.id })) throw new HttpRefusal(404, noJobHere(path.jobId));
    return { principal, step: await findHttpStep(this.#domain.store.read, job) };
  }

  async #requireKey(request: IncomingMessage, response?: ServerResponse): Promise<Principal> {
    const { rates } = this.#parts;
    const principal = await this.#parts.authenticate(credentialsOf(request));
    if (!principal) {
      requirePace(rates.takeOfStranger(request));
      throw new HttpRefusal(401, invalidKey(), { 'www-authenticate': 'Bearer' });
    }
    admit(request);
    requirePace(rates.takeOf(principal, 1, response));
    return principal;
  }

  async #pass(
    asked: Pick<StepRequest, 'request' | 'path' | 'target'>,
    principal: Principal,
    step: StepRow,
    cut: () => void,
    proxy: (asked: StepRequest) => Promise<void>,
  ): Promise<void> {
    const port = step.container?.http?.port;
    if (port === undefined) throw wrongState.noHttpPort({ status: 'RUNNING' });
    const passage = this.#passages.open(principal, cut);
    try {
      const connection = await this.#tunnels.connect(step.leaseDeviceId ?? '', attemptName(step.id, step.attemptCount), port);
      try {
        await proxy({ ...asked, port, connection, passage });
      } finally {
        connection.destroy();
      }
    } finally {
      passage.close();
    }
  }

  async #openWebSocket(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    const path = readStepPath(request.url);
    if (!path?.target) throw new HttpRefusal(404, badRequest.nothingHere());
    const { principal, step } = await this.#admit(path, request);
    const cut = () => connection.destroy();
    await this.#pass({ request, path, target: path.target }, principal, step, cut, (asked) => proxyUpgrade(asked, connection, head));
  }

  #openSession(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    const release = this.#strangers.take(networkOf(request.socket.remoteAddress ?? ''));
    if (!release) {
      this.#parts.instruments.limits.of({ limit: 'strangersPerAddress' }).add();
      connection.destroy();
      return;
    }
    connection.once('close', release);
    this.#sessions.upgrade(request, connection, head, release);
  }

  async #openTunnel(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    const principal = await this.#requireKey(request);
    requireRight(principal, 'openTunnel');
    const { deviceId } = principal;
    if (deviceId === null || connection.destroyed) return;
    connection.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${TUNNEL}\r\n\r\n`);
    if (head.length > 0) connection.unshift(head);
    const { tunnels } = this.#parts.instruments;
    tunnels.value += 1;
    let stopWatching = () => {};
    const end = this.#tunnels.add(deviceId, connection, () => {
      tunnels.value -= 1;
      stopWatching();
    });
    stopWatching = this.#parts.onKeyEnd(principal, end);
    this.#parts.log.debug('A device opened a tunnel.', { deviceId, requestId: callOf(request, 'http').id });
  }

  #refuse(request: IncomingMessage, connection: Duplex, error: unknown): void {
    if (connection.destroyed) return;
    const { status, message, extensions } = toRefusal(refusalOf(error), this.#mask, callOf(request, 'http'));
    const body = JSON.stringify({ errors: [{ message, extensions }] });
    const head = [
      `HTTP/1.1 ${status} Refused`,
      'Connection: close',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    connection.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => connection.destroy());
  }
}

class LinkEnded extends HttpRefusal {
  constructor() {
    super(401, badRequest.linkEnded());
  }
}

/** Refusals get their status, and programs the reason. Other errors stay as they are. */
function refusalOf(error: unknown): unknown {
  if (error instanceof Unreachable)
    return new HttpRefusal(statusOf[error.why], { message: error.message, extensions: { code: error.code, why: error.why } });
  if (error instanceof InvalidState) {
    const { message, code, status } = error;
    return new HttpRefusal(409, { message, extensions: { code, status } });
  }
  if (error instanceof RequestRefused) return new HttpRefusal(error.code === 'FORBIDDEN' ? 403 : 429, error);
  return error;
}

/** A page of a step has no origin. It knows the token, so it may read what it asks its step. */
function allowItsOwnPage({ token }: StepPath, request: IncomingMessage, response: ServerResponse): void {
  if (token === null || request.headers.origin !== 'null') return;
  response.setHeader('access-control-allow-origin', 'null');
  response.setHeader('access-control-allow-credentials', 'true');
  if (!isPreflight(request)) return;
  const { 'access-control-request-method': method = '', 'access-control-request-headers': names = '' } = request.headers;
  response.setHeader('access-control-allow-methods', method);
  response.setHeader('access-control-allow-headers', names);
}

/**
 * Refuses what would make a step's answer a part of the gateway: a service worker, and a script,
 * style or other part of one of its pages. Such parts come from pages with the gateway's origin,
 * and a step's page has none.
 */
function requireOwnPage({ headers }: IncomingMessage): void {
  if (headers['service-worker'] !== undefined) throw new HttpRefusal(403, badRequest.serviceWorker());
  const { 'sec-fetch-site': site, 'sec-fetch-dest': part } = headers;
  if (site === 'same-origin' && part !== undefined && !['document', 'empty'].includes(String(part)))
    throw new HttpRefusal(403, badRequest.stepPageOnly());
}
