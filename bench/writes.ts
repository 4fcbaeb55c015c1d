/** writes and claims: an answered change is on disk, for the gateway and for the peer. */
import { join } from 'node:path';
import type { Gateway } from './gateway.ts';
import { HttpConnection, openConnections, requestOf, runClients } from './http-load.ts';
import { createJobRequest, createJobs, createProject } from './jobs.ts';
import { type Server, startServer } from './processes.ts';
import type { Report } from './report.ts';
import { type Contestant, type Plan, takeTurns } from './rounds.ts';

const WRITERS = 64;
const CLAIMERS = 16;
/** Steps beyond what a round is expected to claim. */
const SPARE = 2;

export const CLAIM = `
  mutation Claim {
    claimNextSteps(input: {limit: 1}) { ... on ClaimNextStepsPayload { claims { step { id } lease { token } } } ... on Error { code message } }
  }`;
export const COMPLETE = `
  mutation Complete($leaseToken: String!) {
    completeStep(input: {leaseToken: $leaseToken}) { ... on CompleteStepPayload { step { status } job { status } } ... on Error { code message } }
  }`;

/**
 * createJob from many clients, against one process that inserts rows without HTTP, each in its own
 * transaction with synchronous=FULL.
 */
export async function benchWrites(gateway: Gateway, plan: Plan): Promise<Report> {
  const projectId = await createProject(gateway);
  const request = createJobRequest(gateway.key, projectId, 1);
  const connections = await openConnections(gateway.server.port, WRITERS);
  const inserts = await startInserts(gateway);
  const ours: Contestant = {
    name: 'Trainyard createJob',
    server: gateway.server,
    run: (ms) => runClients(connections, ms, async (connection) => requirePayload(await connection.ask(request), 'job_')),
  };
  const [mine, theirs] = await takeTurns([ours, inserts.contestant], plan);
  for (const connection of connections) connection.close();
  await inserts.stop();
  if (!mine || !theirs) throw new Error('Expected the figures of two contestants.');
  return { bench: 'writes', unit: 'writes/s', figures: [mine, theirs], comparisons: [{ ours: mine, peer: theirs, goal: 5 }] };
}

/** claim → complete, one step per request, one device per client. */
export async function benchClaims(gateway: Gateway, plan: Plan): Promise<Report> {
  const projectId = await createProject(gateway);
  const keys: string[] = [];
  for (let i = 0; i < CLAIMERS; i++) keys.push(await registerDevice(gateway, projectId, `bench-${i}`));
  const claims = keys.map((key) => requestOf({ query: CLAIM }, { key }));
  const connections = await openConnections(gateway.server.port, CLAIMERS);
  const inserts = await startInserts(gateway);
  let stored = 0;
  let perMs = 1;
  const ours: Contestant = {
    name: 'Trainyard claim+complete',
    server: gateway.server,
    async run(ms) {
      const { count, seconds } = await runClients(connections, ms, async (connection, client) => {
        const token = tokenIn(await connection.ask(claims[client] ?? Buffer.alloc(0)));
        const complete = requestOf({ query: COMPLETE, variables: { leaseToken: token } }, { key: keys[client] ?? '' });
        requirePayload(await connection.ask(complete), 'SUCCEEDED');
      });
      perMs = Math.max(perMs, count / ms);
      stored -= count;
      return { count, seconds };
    },
    async prepare(ms) {
      const missing = Math.ceil(perMs * ms * SPARE) + CLAIMERS - stored;
      if (missing > 0) stored += (await createJobs(gateway, projectId, missing, 1)).length;
    },
  };
  const [mine, theirs] = await takeTurns([ours, inserts.contestant], plan);
  for (const connection of connections) connection.close();
  await inserts.stop();
  if (!mine || !theirs) throw new Error('Expected the figures of two contestants.');
  return {
    bench: 'claims',
    unit: 'a second',
    figures: [mine, theirs],
    comparisons: [{ ours: mine, peer: theirs, goal: null }],
    notes: ['The goal of 1.5 is against graphile-worker, which is not measured here. Where the goal was set, it did about 1,500 jobs/s.'],
  };
}

export async function registerDevice({ ask }: Gateway, projectId: string, name: string): Promise<string> {
  const { registerDevice } = await ask<{ registerDevice: { apiKey: string } }>(
    `mutation Register($input: RegisterDeviceInput!) {
      registerDevice(input: $input) { ... on RegisterDevicePayload { apiKey } ... on Error { code message } }
    }`,
    { input: { projectId, name, slots: 4 } },
  );
  return registerDevice.apiKey;
}

export function tokenIn(answer: Buffer): string {
  const token = /"token":"([^"]+)"/.exec(answer.toString())?.[1];
  if (!token) throw new Error(`Nothing was claimed: ${answer}`);
  return token;
}

export function requirePayload(answer: Buffer, part: string): void {
  if (answer.indexOf(part) < 0) throw new Error(`An unexpected answer: ${answer}`);
}

/** Inserts on the same disk, into another file. */
async function startInserts({ folder }: Gateway): Promise<{ contestant: Contestant; stop(): Promise<void> }> {
  const server: Server = await startServer('bench/peers/inserts.js', [join(folder, `inserts-${process.hrtime.bigint()}.sqlite`)]);
  const connection = await HttpConnection.open(server.port);
  return {
    contestant: {
      name: 'single durable INSERTs',
      server,
      async run(ms) {
        const answer = await connection.ask(requestOf({ ms }, { path: '/run' }));
        return JSON.parse(answer.toString()) as { count: number; seconds: number }; // as inserts.js answers
      },
    },
    async stop() {
      connection.close();
      await server.stop();
    },
  };
}
