/** The one client of the page: its requests, and the one connection of all its subscriptions. */
import { signal } from '@preact/signals';
import { type Client, createClient } from '../../client/client.ts';
import type { Connection } from '../../client/connection.ts';
import { RequestRefused } from '../../client/errors.ts';
import { leave, sessionHeaders } from './session.ts';

const client = createClient({ url: '/', headers: sessionHeaders, connectionParams: sessionHeaders });

/** Shows the sign-in page when the session or its key has ended. */
function notice(error: unknown): never {
  if (error instanceof RequestRefused && error.code === 'UNAUTHENTICATED') leave('Your session has ended, or its key was revoked.');
  throw error;
}

export const gateway: Pick<Client, 'request' | 'subscribe'> = {
  request: (...asked: Parameters<Client['request']>) => client.request(...asked).catch(notice),
  subscribe(document, variables, options) {
    const stream = client.subscribe(document, variables, options);
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => stream.next().catch(notice),
      return: () => stream.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    };
  },
};

export const connection = signal<Connection>(client.connection);

client.onConnection((changed) => {
  connection.value = changed;
});
