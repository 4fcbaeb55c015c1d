/** Sends requests to a gateway as any client would, with any key or none. */
import { WebSocket } from 'ws';

export interface Asked {
  readonly status: number;
  readonly data?: Record<string, unknown> | null | undefined;
  readonly errors?: readonly { readonly message: string; readonly extensions: { readonly code: string } }[] | undefined;
}

type Target = { readonly url: string };

const headersOf = (key: string | null): Record<string, string> => ({
  'content-type': 'application/json',
  ...(key === null ? {} : { authorization: `Bearer ${key}` }),
});

export async function ask({ url }: Target, key: string | null, query: string, variables: Record<string, unknown> = {}): Promise<Asked> {
  const body = JSON.stringify({ query, variables });
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers: headersOf(key), body });
  // Answers of GraphQL servers have this shape.
  const { data, errors } = (await response.json()) as Omit<Asked, 'status'>;
  return { status: response.status, data, errors };
}

/** The first frame of a subscription, or its refusal. */
export async function firstFrame(
  { url }: Target,
  key: string | null,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<Asked> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { ...headersOf(key), accept: 'text/event-stream' },
    body: JSON.stringify({ query, variables }),
  });
  let text = '';
  const decoder = new TextDecoder();
  // Leaving the loop cancels the body, and with it the stream.
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    const frame = response.ok ? /^data: (\{.*\})$/m.exec(text)?.[1] : text;
    if (frame === undefined) continue;
    // As above.
    const { data, errors } = JSON.parse(frame) as Omit<Asked, 'status'>;
    return { status: response.status, data, errors };
  }
  throw new Error(`The stream ended without a frame: ${text}`);
}

/**
 * Subscribes over a WebSocket and resolves with the first frame. `closed` resolves with the close
 * code.
 */
export async function openSocket({ url }: Target, key: string, query: string): Promise<{ closed: Promise<number> }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } })));
    socket.once('error', reject);
    socket.on('message', (data) => {
      const text = String(data);
      if (text.includes('connection_ack')) socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
      if (text.includes('"next"')) resolve();
    });
  });
  return { closed };
}

export interface Socket {
  /** Runs one operation. For a subscription, returns its first frame or refusal, and ends it. */
  ask(query: string): Promise<Omit<Asked, 'status'>>;
  close(): void;
}

/**
 * A socket for one operation after another. Rejects with the close code if the gateway refuses the
 * key.
 */
export async function connectSocket({ url }: Target, key: string | null): Promise<Socket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const waiting = new Map<string, (answer: Omit<Asked, 'status'>) => void>();
  let last = 0;
  await new Promise<void>((resolve, reject) => {
    const payload = key === null ? {} : { authorization: `Bearer ${key}` };
    socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload })));
    socket.once('close', (code) => reject(new Error(String(code))));
    socket.on('message', (text) => {
      // The shape of the protocol's messages.
      const message = JSON.parse(String(text)) as { id?: string; type: string; payload?: unknown };
      if (message.type === 'connection_ack') resolve();
      if (message.type !== 'next' && message.type !== 'error') return;
      // An error before execution comes as a bare list of errors. Cast: the shape of a GraphQL
      // answer.
      const { data, errors }: Omit<Asked, 'status'> =
        message.type === 'next' ? (message.payload as Omit<Asked, 'status'>) : { errors: message.payload as Asked['errors'] };
      waiting.get(message.id ?? '')?.({ data, errors });
      waiting.delete(message.id ?? '');
    });
  });
  return {
    ask(query) {
      const id = String(++last);
      return new Promise((resolve) => {
        waiting.set(id, (answer) => {
          socket.send(JSON.stringify({ id, type: 'complete' }));
          resolve(answer);
        });
        socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query } }));
      });
    },
    close: () => socket.close(),
  };
}
