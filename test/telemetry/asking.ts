import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** Sends a request as any client does. Returns the whole response. */
export async function post(url: string, key: string, query: string, variables: object = {}, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify({ query, variables }),
  });
  // Each caller knows the shape that it selected.
  const body = (await response.json()) as {
    data?: Record<string, Record<string, never>>;
    errors?: { extensions: Record<string, unknown> }[];
  };
  return { status: response.status, headers: response.headers, body };
}

/** The first frame of a subscription over a WebSocket. */
export async function firstFrame(url: string, key: string, query: string): Promise<unknown> {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
  });
  try {
    return (await client.iterate({ query }).next()).value;
  } finally {
    await client.dispose();
  }
}

export const createJob = `mutation ($projectId: ID!, $name: String!) { createJob(input: { projectId: $projectId, name: $name, steps: [{ name: "one" }] }) {
  __typename ... on CreateJobPayload { job { id } } ... on Error { message } } }`;
export const claim =
  'mutation { claimNextSteps(input: { limit: 1 }) { __typename ... on ClaimNextStepsPayload { claims { lease { token } } } ... on Error { message } } }';
