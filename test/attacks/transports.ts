/** The transports of a document. Each answers data or errors. */
import { WebSocket } from 'ws';
import type { Gateway } from '../support/gateway.ts';

export interface Answer {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions: Readonly<Record<string, unknown>> }[];
}

export interface Document {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

export interface Transport {
  readonly name: string;
  /** Whether the transport can carry the document at all. */
  takes(document: Document): boolean;
  ask(gateway: Gateway, document: Document): Promise<Answer>;
}

const isSubscription = ({ query }: Document) => query.startsWith('subscription');
const kindOf = ({ query }: Document) => /^(mutation|subscription)/.exec(query)?.[1] ?? 'query';

async function post({ url, adminKey }: Gateway, document: Document, accept: string): Promise<Response> {
  return fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}`, accept },
    body: JSON.stringify(document),
  });
}

async function firstEvent(response: Response): Promise<Answer> {
  let text = '';
  for await (const part of response.body ?? []) {
    text += Buffer.from(part).toString();
    const data = /^data: (\{.*\})$/m.exec(text)?.[1];
    if (data !== undefined) return JSON.parse(data);
  }
  return JSON.parse(text);
}

async function askSocket({ url, adminKey }: Gateway, payload: Document): Promise<Answer> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  try {
    return await new Promise<Answer>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('close', (code) => reject(new Error(`The socket was closed with ${code}.`)));
      socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${adminKey}` } })));
      socket.on('message', (message) => {
        const { type, payload: answer } = JSON.parse(String(message));
        if (type === 'connection_ack') socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
        if (type === 'next') resolve(answer);
        if (type === 'error') resolve({ errors: answer });
      });
    });
  } finally {
    socket.removeAllListeners('close');
    socket.close();
  }
}

/** Node answers a longer request line with 431 before the gateway sees it. */
const LONGEST_LINE = 15_000;
const queryString = ({ query, variables }: Document) =>
  new URLSearchParams({ query, ...(variables ? { variables: JSON.stringify(variables) } : {}) }).toString();

export const transports: readonly Transport[] = [
  {
    name: 'POST',
    takes: (document) => !isSubscription(document),
    ask: async (gateway, document) => (await post(gateway, document, 'application/graphql-response+json')).json() as Promise<Answer>, // see Answer
  },
  {
    name: 'GET',
    takes: (document) => kindOf(document) === 'query' && queryString(document).length < LONGEST_LINE,
    ask: async ({ url, adminKey }, document) =>
      (
        await fetch(`${url}/graphql?${queryString(document)}`, { headers: { authorization: `Bearer ${adminKey}` } })
      ).json() as Promise<Answer>, // as above
  },
  {
    name: 'server-sent events',
    takes: () => true,
    ask: async (gateway, document) => firstEvent(await post(gateway, document, 'text/event-stream')),
  },
  {
    name: 'WebSocket',
    takes: (document) => JSON.stringify(document).length < 60_000,
    ask: askSocket,
  },
];
