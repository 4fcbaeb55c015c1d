/**
 * ## Apollo Client
 *
 * Queries and mutations use HTTP, and subscriptions use a WebSocket. Ids are unique across all
 * types, so the cache keeps one copy of each job without configuration: every query that shows a
 * job sees the changes from a mutation or `jobUpdated`. Two things are configured:
 *
 * - `possibleTypes`: the possible types of `Error`, `Event` and `Node`. Without them, Apollo drops
 *   the fields in `... on Error { … }`. Query the gateway, as here, or write the result to a file
 *   when you build.
 * - `relayStylePagination` for each list with pages: lists with different filters or orders are
 *   kept apart, and pages are joined by their cursors.
 */
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import type { Client } from 'graphql-ws';
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

export async function connect({ url, key }: Gateway): Promise<ApolloClient> {
  const http = new HttpLink({ uri: `${url}/graphql`, headers: { authorization: `Bearer ${key}` } });
  const socket = connectSocket({ url, key });
  // The link uses only `subscribe` of it.
  const live = new GraphQLWsLink({ ...socket, ...resuming(socket) } as Client);
  return new ApolloClient({
    link: ApolloLink.split(({ query }) => isSubscription(query), live, http),
    cache: new InMemoryCache({
      possibleTypes: await askPossibleTypes({ url, key }),
      typePolicies: { Query: { fields: { jobs: relayStylePagination(['filter', 'orderBy']) } } },
    }),
  });
}

function isSubscription(query: ApolloLink.Operation['query']): boolean {
  const definition = getMainDefinition(query);
  return definition.kind === 'OperationDefinition' && definition.operation === 'subscription';
}

async function askPossibleTypes({ url, key }: Gateway): Promise<Record<string, string[]>> {
  const query = '{ __schema { types { name possibleTypes { name } } } }';
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data } = (await response.json()) as Schema; // the document's shape
  return Object.fromEntries(
    data.__schema.types.flatMap(({ name, possibleTypes }) => (possibleTypes ? [[name, possibleTypes.map((type) => type.name)]] : [])),
  );
}

interface Schema {
  readonly data: { readonly __schema: { readonly types: readonly { name: string; possibleTypes: readonly { name: string }[] | null }[] } };
}

export async function findJob(client: ApolloClient, id: string): Promise<JobData['job']> {
  const { data } = await client.query<JobData>({ query: gql(jobQuery), variables: { id } });
  return data?.job ?? null;
}

export async function cancelJob(client: ApolloClient, jobId: string): Promise<string> {
  const { data } = await client.mutate<CancelData>({ mutation: gql(cancelMutation), variables: { input: { jobId } } });
  if (!data) throw new Error('There was no answer.');
  return tellOutcome(data);
}

/**
 * Each piece of the log once, in order, until the job has ended. A log is not cached: the component
 * that shows it keeps it.
 */
export function followLog(client: ApolloClient, jobId: string, print: (text: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    client.subscribe<LogData>({ query: gql(logSubscription), variables: { jobId }, fetchPolicy: 'no-cache' }).subscribe({
      next({ data, error }) {
        if (error) return reject(error);
        for (const { text } of data?.log.chunks ?? []) print(text);
      },
      error: reject,
      complete: resolve,
    });
  });
}

export const jobsQuery = gql`
  query Jobs($filter: JobFilter, $after: String) {
    jobs(filter: $filter, first: 2, after: $after) {
      edges {
        cursor
        node {
          id
          name
          status
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

/** Keeps one job in the cache up to date for every query that shows it. */
export function watchJob(client: ApolloClient, jobId: string): { unsubscribe(): void } {
  const query = gql`
    subscription Watch($jobId: ID!) {
      jobUpdated(jobId: $jobId) {
        id
        name
        status
      }
    }
  `;
  return client.subscribe({ query, variables: { jobId } }).subscribe({});
}
