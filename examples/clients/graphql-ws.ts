/**
 * ## graphql-ws
 *
 * Set `retryAttempts` and `shouldRetry`. By default the client gives up after five attempts, and at
 * once when a connection is refused, as it is while a gateway restarts. The close code says whether
 * to retry, and graphql-ws obeys it: after 1012 (restart), 1013 (too slow) and 4403 (the key has
 * expired) it reconnects, and 4401 (invalid key) goes to `error`.
 */
import { type Client, createClient } from 'graphql-ws';
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
import { patience, resuming, type Subscriber } from './resume.ts';

export const connect = ({ url, key }: Gateway): Client =>
  createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: patience,
  });

export async function findJob(client: Subscriber, id: string): Promise<JobData['job']> {
  let found: JobData['job'] = null;
  await listen<JobData>(client, jobQuery, { id }, ({ job }) => {
    found = job;
  });
  return found;
}

export async function cancelJob(client: Subscriber, jobId: string): Promise<string> {
  let outcome = '';
  await listen<CancelData>(client, cancelMutation, { input: { jobId } }, (data) => {
    outcome = tellOutcome(data);
  });
  return outcome;
}

/** Each piece of the log once, in order, until the job has ended. */
export function followLog(client: Subscriber, jobId: string, print: (text: string) => void): Promise<void> {
  return listen<LogData>(resuming(client), logSubscription, { jobId }, ({ log }) => {
    for (const { text } of log.chunks) print(text);
  });
}

/**
 * Takes the answer of a query or mutation, or every frame of a subscription. Resolves after the
 * last.
 */
function listen<Data>(client: Subscriber, query: string, variables: Record<string, unknown>, take: (data: Data) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    client.subscribe(
      { query, variables },
      {
        next: ({ data, errors }) => (errors ? reject(new Error(errors[0]?.message)) : take(data as Data)), // the document's shape
        error: reject,
        complete: resolve,
      },
    );
  });
}
