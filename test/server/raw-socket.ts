import { once } from 'node:events';
import { WebSocket } from 'ws';

export type OpenSocket = WebSocket & { readonly closed: Promise<{ code: number; reason: string }> };

/**
 * A bare socket of the graphql-transport-ws protocol. With a key it sends connection_init and waits
 * for the acknowledgement. Rejects with the HTTP status if it is refused.
 */
export async function openSocket(url: string, key?: string, origin?: string): Promise<OpenSocket> {
  const address = url.replace('http', 'ws') + (new URL(url).pathname === '/' ? '/graphql' : '');
  const socket = new WebSocket(address, 'graphql-transport-ws', origin ? { origin } : {});
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  await once(socket, 'open');
  if (key) {
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } }));
    await once(socket, 'message');
  }
  return Object.assign(socket, { closed });
}

/** A socket that can stop reading. */
export async function openRaw(url: string, key: string) {
  const socket = await openSocket(url, key);
  return {
    subscribe: (query: string) => socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } })),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    closeCode: socket.closed.then(({ code }) => code),
  };
}
