/** Jobs to measure with, created through the API. */
import type { Gateway } from './gateway.ts';
import { type HttpConnection, openConnections, requestOf } from './http-load.ts';

const CREATE_JOB = `
  mutation CreateJob($input: CreateJobInput!) {
    createJob(input: $input) { ... on CreateJobPayload { job { id status } token } ... on Error { code message } }
  }`;

/** Creates a project and returns its id. */
export async function createProject({ ask }: Pick<Gateway, 'ask'>): Promise<string> {
  const { createProject } = await ask<{ createProject: { project: { id: string } } }>(
    'mutation { createProject(input: {name: "Bench"}) { ... on CreateProjectPayload { project { id } } ... on Error { code message } } }',
  );
  return createProject.project.id;
}

/** The request that creates a job of `steps` steps, each with a container. */
export function createJobRequest(key: string, projectId: string, steps: number): Buffer {
  return requestOf({ query: CREATE_JOB, variables: { input: { projectId, name: 'Digits', steps: stepsOf(steps) } } }, { key });
}

export function stepsOf(count: number): { name: string; container: { image: string; command: string } }[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `Step ${i}`,
    container: { image: 'python:3.13', command: `python train.py --fold ${i}` },
  }));
}

/** Creates jobs as fast as it can and returns their ids. */
export async function createJobs({ server, key }: Gateway, projectId: string, count: number, steps: number): Promise<string[]> {
  const request = createJobRequest(key, projectId, steps);
  const connections = await openConnections(server.port, 64);
  const ids: string[] = [];
  let left = count;
  await Promise.all(
    connections.map(async (connection) => {
      while (left-- > 0) ids.push(await createOne(connection, request));
    }),
  );
  for (const connection of connections) connection.close();
  return ids;
}

async function createOne(connection: HttpConnection, request: Buffer): Promise<string> {
  const id = /job_\w{26}/.exec((await connection.ask(request)).toString())?.[0];
  if (!id) throw new Error('A job was not created.');
  return id;
}
