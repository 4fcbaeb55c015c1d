/** The one client of the page: its requests, and the one socket of all its subscriptions. */
import { effect, signal } from '@preact/signals';
import { type Client, createClient } from '../../client/client.ts';
import type { Connection } from '../../client/connection.ts';
import { sessionHeaders } from './session.ts';

export const gateway: Client = createClient({
  url: location.origin,
  headers: sessionHeaders,
  connectionParams: sessionHeaders,
});

export const connection = signal<Connection>(gateway.connection);

gateway.onConnection((changed) => {
  connection.value = changed;
});
void effect;
