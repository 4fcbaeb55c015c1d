import type { ServerResponse } from 'node:http';

/** `/health/live`: the process answers. */
export function answerLive(response: ServerResponse): void {
  send(response, 200, { status: 'live' });
}

/** `/health/ready`: requests can be served, as `ready` finds out. 503 otherwise, and as soon as the gateway stops. */
export async function answerReady(response: ServerResponse, ready: () => Promise<boolean>): Promise<void> {
  const isReady = await ready().catch(() => false);
  send(response, isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready' });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
