import type { ServerResponse } from 'node:http';

export interface Readiness {
  readonly isReadable: boolean;
  readonly isWritable: boolean;
}

/**
 * `/health/live`: the process answers. It does not depend on the database: a restart of the gateway
 * would not bring that back.
 */
export function answerLive(response: ServerResponse): void {
  send(response, 200, { status: 'live' });
}

/**
 * `/health/ready`: requests can be served. 503 until the start is complete, while the database
 * cannot be read, and from the moment that the gateway begins to stop.
 */
export async function answerReady(
  response: ServerResponse,
  phase: 'starting' | 'serving' | 'stopping',
  find: () => Promise<Readiness>,
): Promise<void> {
  if (phase !== 'serving') return send(response, 503, { status: phase });
  const { isReadable, isWritable } = await find().catch(() => ({ isReadable: false, isWritable: false }));
  const status = isReadable ? 'ready' : 'not ready';
  send(response, isReadable ? 200 : 503, { status, database: { readable: isReadable, writable: isWritable } });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
