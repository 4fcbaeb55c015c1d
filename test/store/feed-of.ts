/** The feed of a running gateway, read by a client that reconnects. */
import { expect, vi } from 'vitest';
import type { Gateway } from '../support/gateway.ts';

interface Page {
  readonly events: {
    readonly events: readonly { readonly job: { readonly id: string } }[];
    readonly endCursor: string | null;
    readonly missed: number;
  };
}
async function ask<T>({ url, adminKey }: Gateway, query: string, variables: object = {}): Promise<{ data: T; code: string | undefined }> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}` },
    body: JSON.stringify({ query, variables }),
  });
  // Cast: the shape of the query.
  const { data, errors } = (await response.json()) as { data: T; errors?: readonly { extensions: { code: string } }[] };
  return { data, code: errors?.[0]?.extensions.code };
}
export const readFeed = (gateway: Gateway, after: string | null) =>
  ask<Page>(gateway, 'query ($after: Cursor) { events(after: $after) { events { job { id } } endCursor missed } }', { after });
/** Creates a job. Returns the cursor after its events in the feed. */
export async function createJob(gateway: Gateway, after: string | null): Promise<string> {
  const { data: project } = await ask<{ projects: { nodes: readonly { id: string }[] } }>(
    gateway,
    '{ projects(first: 1) { nodes { id } } }',
  );
  const { data } = await ask<{ createJob: { job: { id: string } } }>(
    gateway,
    'mutation ($input: CreateJobInput!) { createJob(input: $input) { ... on CreateJobPayload { job { id } } } }',
    { input: { projectId: project.projects.nodes[0]?.id, name: 'A job' } },
  );
  const { id } = data.createJob.job;
  return vi.waitFor(
    async () => {
      const { events } = (await readFeed(gateway, after)).data;
      expect(events.events.map(({ job }) => job.id)).toContain(id);
      return events.endCursor ?? '';
    },
    { timeout: 10_000 },
  );
}
