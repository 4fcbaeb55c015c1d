/**
 * ## Relay
 *
 * The schema has what Relay's compiler and store expect: `node(id:)`, connections with `pageInfo`,
 * and ids that are unique across all types. The operations are in
 * [relay/jobs.ts](../examples/clients/relay/jobs.ts), compiled against `schema.graphql` into
 * relay/\_\_generated\_\_; in React, pass them to `useLazyLoadQuery`, `usePaginationFragment` and
 * `useSubscription`. This example shows the layer below those.
 *
 * `getDataID`: Relay treats every field named `id` as the id of a record in its store.
 * `NotFoundError.id` names the object that was not found, and would be merged into the record of
 * that object.
 */
import runtime, { type GraphQLResponse, type IEnvironment } from 'relay-runtime';
import type { Gateway, JobData } from './documents.ts';
import { connect as connectSocket } from './graphql-ws.ts';
import cancelMutation, { type jobsCancelMutation } from './relay/__generated__/jobsCancelMutation.graphql.ts';
import findQuery, { type jobsFindQuery } from './relay/__generated__/jobsFindQuery.graphql.ts';
import logSubscription, { type jobsLogSubscription } from './relay/__generated__/jobsLogSubscription.graphql.ts';
import watchSubscription, { type jobsWatchSubscription } from './relay/__generated__/jobsWatchSubscription.graphql.ts';
import { resuming } from './resume.ts';

const { commitMutation, Environment, fetchQuery, Network, Observable, RecordSource, requestSubscription, Store } = runtime;

export function connect({ url, key }: Gateway): IEnvironment {
  const socket = resuming(connectSocket({ url, key }));
  return new Environment({
    network: Network.create(
      async ({ text }, variables) => {
        const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
        const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query: text, variables }) });
        return response.json() as Promise<GraphQLResponse>; // the shape of a GraphQL response
      },
      ({ text }, variables) =>
        Observable.create((sink) =>
          socket.subscribe(
            { query: text ?? '', variables },
            {
              next: (result) => sink.next(result as GraphQLResponse), // the shape of a GraphQL response
              error: (error) => sink.error(error instanceof Error ? error : new Error(JSON.stringify(error))),
              complete: () => sink.complete(),
            },
          ),
        ),
    ),
    store: new Store(new RecordSource()),
    getDataID: (record, typeName) => (typeName === 'NotFoundError' ? undefined : record.id),
  });
}

export async function findJob(environment: IEnvironment, id: string): Promise<JobData['job']> {
  const data = await fetchQuery<jobsFindQuery>(environment, findQuery, { id }).toPromise();
  return data?.job ?? null;
}

export function cancelJob(environment: IEnvironment, jobId: string): Promise<string> {
  return new Promise((resolve, reject) => {
    commitMutation<jobsCancelMutation>(environment, {
      mutation: cancelMutation,
      variables: { input: { jobId } },
      onCompleted: ({ cancelJob: { job, code, message } }) => resolve(job ? job.status : `${code}: ${message}`),
      onError: reject,
    });
  });
}

/** Each piece of the log once, in order, until the job has ended. */
export function followLog(environment: IEnvironment, jobId: string, print: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    requestSubscription<jobsLogSubscription>(environment, {
      subscription: logSubscription,
      variables: { jobId },
      onNext: (data) => {
        for (const { text } of data?.log.chunks ?? []) print(text);
      },
      onError: reject,
      onCompleted: resolve,
    });
  });
}

/** Keeps one job in the store up to date for every component that shows it. */
export function watchJob(environment: IEnvironment, jobId: string): { dispose(): void } {
  return requestSubscription<jobsWatchSubscription>(environment, { subscription: watchSubscription, variables: { jobId } });
}
