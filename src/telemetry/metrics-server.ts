/**
 * Serves the metrics. At `/metrics` they need a user's key for all projects, with any role: the key
 * in Prometheus' configuration need not be able to change anything. At a separate address, which is
 * off by default, they need no key: that is for a network without strangers.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { authenticate } from '../domain/access/keys.ts';
import { requireAllProjects } from '../domain/access/rights.ts';
import type { Domain } from '../domain/core/domain.ts';
import { RequestRefused } from '../domain/core/request-refusals.ts';
import type { Endpoint } from '../server/app.ts';
import { admit } from '../server/connections/arrivals.ts';
import type { Metrics } from './metrics.ts';

export function metricsEndpoint(domain: Domain, metrics: Metrics): Endpoint {
  return async (request, response, url) => {
    if (url.pathname !== '/metrics') return say(response, 404, 'There is nothing at this path. The metrics are at /metrics.');
    const principal = await authenticate(domain, request.headers.authorization);
    if (!principal) return say(response, 401, 'Send a key: Authorization: Bearer tyk_…', { 'www-authenticate': 'Bearer' });
    admit(request);
    try {
      requireAllProjects(principal, 'readMetrics');
    } catch (error) {
      if (error instanceof RequestRefused) return say(response, 403, error.message);
      throw error;
    }
    await answerMetrics(metrics, request, response);
  };
}

/** Parses `host:port` for Node. URL leaves out port 80, and Node takes a missing port for any. */
export function listenableOf(address: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`http://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) };
}

/** Serves only the metrics at `host:port`. Rejects with Node's error if it cannot listen there. */
export async function openMetricsServer(metrics: Metrics, address: string): Promise<{ close(): void }> {
  const { host, port } = listenableOf(address);
  // Only here: see src/server/http.ts.
  const { createServer } = await import('node:http');
  const server: Server = createServer((request, response) => {
    const isHere = request.url?.split('?')[0] === '/metrics';
    if (!isHere) say(response, 404, 'There is nothing at this path. The metrics are at /metrics.');
    else answerMetrics(metrics, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answerMetrics(metrics: Metrics, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(response, 405, 'Use GET.', { allow: 'GET' });
  const text = await metrics.text();
  response.writeHead(200, { 'content-type': metrics.contentType, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  response.end(request.method === 'HEAD' ? undefined : text);
}

function say(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers });
  response.end(`${text}\n`);
}
