/** Steps that serve HTTP, and clients of them. */
import { createServer } from 'node:net';
import { expect } from 'vitest';
import { eventually } from '../eventually.ts';
import type { Station } from '../station.ts';

/** The command of a step that runs this program of Node. */
export const nodeStep = (program: string) => `exec '${process.execPath}' -e '${program.replaceAll("'", `'\\''`)}'`;

/** A port that nothing listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return address.port;
}

/** The handler of a server: `(request, response) => …`, with `WebSocket`s left to `more`. */
export const httpStep = (port: number, handler: string, more = '') => ({
  command: nodeStep(`const server = require("node:http").createServer(${handler}); ${more}; server.listen(${port}, "127.0.0.1")`),
  http: { port },
});

export const pathOf = (jobId: string, rest = '/') => `/jobs/${jobId}/http${rest}`;

/** Asks with a key. Default: the administrator's. */
export function fetchStep(
  station: Station,
  jobId: string,
  rest = '/',
  { key = station.gateway.adminKey, ...init }: RequestInit & { key?: string } = {},
) {
  const headers = { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string> | undefined) }; // as the tests give them
  return fetch(station.gateway.url + pathOf(jobId, rest), { redirect: 'manual', ...init, headers });
}

/** Waits until the step answers with something of its own. */
export async function whenServing(station: Station, jobId: string): Promise<void> {
  await eventually(
    async () => {
      const response = await fetchStep(station, jobId);
      await response.body?.cancel();
      expect(response.status).toBeLessThan(400);
    },
    { timeout: 60_000, interval: 100 },
  );
}

/** The path of a link, made with this key. Default: the administrator's. */
export async function openLink(station: Station, jobId: string, key = station.gateway.adminKey): Promise<string> {
  const response = await fetch(`${station.gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query: `mutation { openHttp(input: { jobId: "${jobId}" }) { ... on OpenHttpPayload { url } } }` }),
  });
  const { data } = (await response.json()) as { data: { openHttp: { url: string } } }; // by the query
  return data.openHttp.url;
}
