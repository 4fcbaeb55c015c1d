/**
 * claims: steps that are claimed and completed, against job queues that take and complete jobs
 * whose work is nothing. All of it is on disk before it is answered.
 *
 * The gateway is asked over HTTP, with keys, leases, events and streams. The queues are libraries
 * in the worker's own process.
 */
import type { Gateway } from './gateway.ts';
import { type HttpConnection, openConnections, requestOf, runClients } from './http-load.ts';
import { type JobQueue, startBullMq, startGraphileWorker } from './job-queues.ts';
import { createJobs, createProject } from './jobs.ts';
import { type Report, reportAgainst } from './report.ts';
import { type Contestant, type Plan, takeTurns } from './rounds.ts';

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

/** One step a request, from 16 devices. */
const oneByOne: ClaimBench = {
  bench: 'claims',
  slots: 4,
  batch: 1,
  goals: { graphile: 1, bullMq: null },
  async turn(connection, key) {
    const token = tokenIn(await connection.ask(requestOf({ query: CLAIM }, { key })));
    requirePayload(await connection.ask(requestOf({ query: COMPLETE, variables: { leaseToken: token } }, { key })), 'SUCCEEDED');
    return 1;
  },
};

/** As many steps as a device has slots in a request. */
const BATCH = 16;
const CLAIM_MANY = `
  mutation ClaimMany {
    claimNextSteps(input: {limit: ${BATCH}}) { ... on ClaimNextStepsPayload { claims { step { id } lease { token } } } ... on Error { code message } }
  }`;
const COMPLETE_MANY = `
  mutation CompleteMany($steps: [CompleteStepInput!]!) {
    completeSteps(input: {steps: $steps}) {
      ... on CompleteStepsPayload { results { ... on CompleteStepPayload { step { status } job { status } } ... on Error { code message } } }
      ... on Error { code message }
    }
  }`;

/** Sixteen steps a request, from 16 devices. */
const batches: ClaimBench = {
  bench: `claims, ${BATCH} at once`,
  slots: BATCH,
  // The least that its documentation names for as many workers.
  batch: CLAIMERS + 1,
  goals: { graphile: 2, bullMq: 0.5 },
  async turn(connection, key) {
    const steps = tokensIn(await connection.ask(requestOf({ query: CLAIM_MANY }, { key }))).map((leaseToken) => ({ leaseToken }));
    const answer = await connection.ask(requestOf({ query: COMPLETE_MANY, variables: { steps } }, { key }));
    if (answer.indexOf('"code":') >= 0) throw new Error(`An unexpected answer: ${answer}`);
    return steps.length;
  },
};

export const benchClaims = (gateway: Gateway, plan: Plan): Promise<Report> => benchAgainstQueues(gateway, plan, oneByOne);
export const benchClaimBatches = (gateway: Gateway, plan: Plan): Promise<Report> => benchAgainstQueues(gateway, plan, batches);

/** Both, against another checkout. */
export async function benchClaimsAgainst(ours: Gateway, other: Gateway, plan: Plan): Promise<Report[]> {
  const reports: Report[] = [];
  for (const bench of [oneByOne, batches]) {
    const sides = [await claiming(ours, bench), { ...(await claiming(other, bench)), name: 'other checkout' }];
    reports.push(reportAgainst(bench.bench, 'a second', await takeTurns(sides, plan)));
  }
  return reports;
}

interface ClaimBench {
  readonly bench: string;
  /** How many steps a device may hold. */
  readonly slots: number;
  /** How many jobs a queue takes at once. */
  readonly batch: number;
  readonly goals: { readonly graphile: number | null; readonly bullMq: number | null };
  /** Claims and completes. Resolves to the number of steps. */
  turn(connection: HttpConnection, key: string): Promise<number>;
}

/** A gateway whose steps are claimed and completed. */
async function claiming(gateway: Gateway, { slots, turn }: ClaimBench): Promise<Contestant> {
  const projectId = await createProject(gateway);
  const keys: string[] = [];
  for (let i = 0; i < CLAIMERS; i++) keys.push(await registerDevice(gateway, projectId, `bench-${slots}-${i}`, slots));
  let stored = 0;
  let perMs = 2;
  return {
    name: 'Trainyard claim + complete',
    server: gateway.server,
    async prepare(ms) {
      const missing = Math.ceil(perMs * ms * SPARE) + CLAIMERS * slots - stored;
      if (missing > 0) stored += (await createJobs(gateway, projectId, missing, 1)).length;
    },
    async run(ms) {
      // Opened here: the gateway closes what is idle while jobs are prepared.
      const connections = await openConnections(gateway.server.port, CLAIMERS);
      let count = 0;
      const { seconds } = await runClients(connections, ms, async (connection, client) => {
        const steps = await turn(connection, keys[client] ?? '');
        count += steps;
      });
      for (const connection of connections) connection.close();
      perMs = Math.max(perMs, count / ms);
      stored -= count;
      return { count, seconds };
    },
  };
}

async function benchAgainstQueues(gateway: Gateway, plan: Plan, claims: ClaimBench): Promise<Report> {
  const { bench, batch, goals } = claims;
  const ours = await claiming(gateway, claims);
  const graphile = await startGraphileWorker({ concurrency: CLAIMERS, batch });
  const bullMq = await startBullMq({ concurrency: CLAIMERS });
  const queues = [graphile, bullMq].filter((queue): queue is JobQueue => queue !== null);
  const [mine, ...others] = await takeTurns([ours, ...queues.map(({ contestant }) => contestant)], plan);
  for (const queue of queues) await queue.stop();
  if (!mine) throw new Error('Expected the figures of the gateway.');
  const goalOf = [goals.graphile, goals.bullMq];
  return {
    bench,
    unit: 'a second',
    figures: [mine, ...others],
    comparisons: others.map((peer, i) => ({ ours: mine, peer, goal: goalOf[i] ?? null })),
    ...(bullMq ? {} : { notes: ['BullMQ is left out: there is no redis-server here.'] }),
  };
}

export async function registerDevice({ ask }: Gateway, projectId: string, name: string, slots = 4): Promise<string> {
  const { registerDevice } = await ask<{ registerDevice: { apiKey: string } }>(
    `mutation Register($input: RegisterDeviceInput!) {
      registerDevice(input: $input) { ... on RegisterDevicePayload { apiKey } ... on Error { code message } }
    }`,
    { input: { projectId, name, slots } },
  );
  return registerDevice.apiKey;
}

export function tokenIn(answer: Buffer): string {
  const [token = ''] = tokensIn(answer);
  return token;
}

function tokensIn(answer: Buffer): string[] {
  const tokens = [...answer.toString().matchAll(/"token":"([^"]+)"/g)].map(([, token = '']) => token);
  if (tokens.length === 0) throw new Error(`Nothing was claimed: ${answer}`);
  return tokens;
}

export function requirePayload(answer: Buffer, part: string): void {
  if (answer.indexOf(part) < 0) throw new Error(`An unexpected answer: ${answer}`);
}
