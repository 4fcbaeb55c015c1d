/**
 * ## urql
 *
 * Queries and mutations use HTTP, and subscriptions use a WebSocket.
 */
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import {
  type CancelData,
  cancelMutation,
  type Gateway,
  type JobData,
  jobQuery,
  type LogData,
  logSubscription,
  tellOutcome,
} from './documents.ts';
import { connect as connectSocket } from './graphql-ws.ts';
import { resuming } from './resume.ts';

export function connect({ url, key }: Gateway): Client {
  const socket = resuming(connectSocket({ url, key }));
  return new Client({
    url: `${url}/graphql`,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: `Bearer ${key}` } },
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
}

export async function findJob(client: Client, id: string): Promise<JobData['job']> {
  const { data, error } = await client.query<JobData>(jobQuery, { id });
  if (error) throw error;
  return data?.job ?? null;
}

export async function cancelJob(client: Client, jobId: string): Promise<string> {
  const { data, error } = await client.mutation<CancelData>(cancelMutation, { input: { jobId } });
  if (!data) throw error ?? new Error('There was no answer.');
  return tellOutcome(data);
}

/** Each piece of the log once, in order, until the job has ended. */
export function followLog(client: Client, jobId: string, print: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const { unsubscribe } = client.subscription<LogData>(logSubscription, { jobId }).subscribe(({ data, error }) => {
      if (error) return reject(error);
      for (const { text } of data?.log.chunks ?? []) print(text);
      if (data?.log.state === 'ENDED') {
        unsubscribe();
        resolve();
      }
    });
  });
}
