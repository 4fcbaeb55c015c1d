/**
 * point, list and stock: the commonest reads, against servers that answer the same from the same
 * file.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Gateway } from './gateway.ts';
import { type HttpConnection, openConnections, requestOf, runClients } from './http-load.ts';
import { createJobs, createProject } from './jobs.ts';
import { type Server, startServer } from './processes.ts';
import type { Report } from './report.ts';
import { type Contestant, type Figures, type Plan, takeTurns } from './rounds.ts';

const CONNECTIONS = 32;
const JOBS = 2_000;
const STEPS = 3;

const POINT = `
  query Point($id: ID!) {
    job(id: $id) { id name status priority createdAt updatedAt steps { number name status createdAt } }
  }`;
const LIST = `
  query List {
    jobs(first: 50) { nodes { id name status priority createdAt updatedAt steps { number name status createdAt } } }
  }`;

/** Requests asked in turn, the same for every server. */
type Questions = (key?: string) => readonly Buffer[];

export interface Reads {
  readonly gateway: Gateway;
  readonly point: Questions;
  readonly list: Questions;
}

/** Fills the gateway with jobs to read. */
export async function prepareReads(gateway: Gateway): Promise<Reads> {
  const ids = await createJobs(gateway, await createProject(gateway), JOBS, STEPS);
  return {
    gateway,
    point: (key = '') => ids.map((id) => requestOf({ query: POINT, variables: { id } }, { key })),
    list: (key = '') => [requestOf({ query: LIST }, { key })],
  };
}

/**
 * One job by id, against Mercurius with JIT, and a bare node:http server that reads the rows and
 * answers the same bytes. Neither checks a key or has limits.
 */
export async function benchPoint(reads: Reads, plan: Plan): Promise<Report> {
  const bare = await startServer('bench/peers/bare.js', [reads.gateway.database]);
  await requireSameAnswers(reads.gateway, bare, reads.point, (answer) => answer.toString());
  const report = await benchAgainstMercurius(reads, plan, {
    bench: 'point',
    goals: [0.9, 0.7],
    others: [peerWith('bare node:http', bare, reads.point)],
  });
  await bare.stop();
  return report;
}

/** Fifty jobs with their steps, against Mercurius with JIT. */
export const benchList = (reads: Reads, plan: Plan): Promise<Report> =>
  benchAgainstMercurius(reads, plan, { bench: 'list', goals: [1.3], others: [] });

async function benchAgainstMercurius(
  reads: Reads,
  plan: Plan,
  { bench, goals, others }: { bench: 'point' | 'list'; goals: readonly number[]; others: readonly Side[] },
): Promise<Report> {
  const questions = reads[bench];
  const peer = await startServer('bench/peers/mercurius.js', [reads.gateway.database]);
  await requireSameAnswers(reads.gateway, peer, questions, parse);
  const sides = [gatewayWith(reads.gateway, questions), peerWith('Mercurius with JIT', peer, questions), ...others];
  const figures = await race(sides, plan);
  await peer.stop();
  return { bench, unit: 'requests/s', figures, comparisons: compare(figures, goals) };
}

/** Both reads, against graphql-yoga with its defaults. */
export async function benchStock({ gateway, point, list }: Reads, plan: Plan): Promise<Report[]> {
  const peer = await startServer('bench/peers/yoga.js', [gateway.database]);
  const reports: Report[] = [];
  for (const [name, questions] of [
    ['point', point],
    ['list', list],
  ] as const) {
    await requireSameAnswers(gateway, peer, questions, parse);
    const figures = await race([gatewayWith(gateway, questions), peerWith('stock graphql-yoga', peer, questions)], plan);
    reports.push({ bench: `stock, ${name}`, unit: 'requests/s', figures, comparisons: compare(figures, [3]) });
  }
  await peer.stop();
  return reports;
}

/** Both reads, against another checkout. */
export async function benchReadsAgainst(ours: Gateway, other: Gateway, plan: Plan): Promise<Report[]> {
  const [mine, theirs] = [await prepareReads(ours), await prepareReads(other)];
  const reports: Report[] = [];
  for (const name of ['point', 'list'] as const) {
    const sides = [gatewayWith(ours, mine[name]), { ...gatewayWith(other, theirs[name]), name: 'other checkout' }];
    const figures = await race(sides, plan);
    reports.push({ bench: name, unit: 'requests/s', figures, comparisons: compare(figures, [0.95]) });
  }
  return reports;
}

interface Side {
  readonly name: string;
  readonly server: Server;
  readonly requests: readonly Buffer[];
}

const gatewayWith = ({ server, key }: Gateway, questions: Questions): Side => ({ name: 'Trainyard', server, requests: questions(key) });
const peerWith = (name: string, server: Server, questions: Questions): Side => ({ name, server, requests: questions() });

async function race(sides: readonly Side[], plan: Plan): Promise<Figures[]> {
  const opened = await Promise.all(sides.map(({ server }) => openConnections(server.port, CONNECTIONS)));
  const figures = await takeTurns(
    sides.map((side, i) => contestantOf(side, opened[i] ?? [])),
    plan,
  );
  for (const connection of opened.flat()) connection.close();
  return figures;
}

function contestantOf({ name, server, requests }: Side, connections: readonly HttpConnection[]): Contestant {
  let next = 0;
  const take = (): Buffer => requests[next++ % requests.length] ?? Buffer.alloc(0);
  return { name, server, run: (ms) => runClients(connections, ms, async (connection) => void (await connection.ask(take()))) };
}

function compare([ours, ...peers]: readonly Figures[], goals: readonly number[]): Report['comparisons'] {
  if (!ours) return [];
  return peers.map((peer, i) => ({ ours, peer, goal: goals[i] ?? null }));
}

const parse = (answer: Buffer): unknown => JSON.parse(answer.toString());

/** Refuses a peer that answers differently: its figures would measure something else. */
async function requireSameAnswers(
  { server, key }: Gateway,
  peer: Server,
  questions: Questions,
  read: (answer: Buffer) => unknown,
): Promise<void> {
  const [ours] = await openConnections(server.port, 1);
  const [theirs] = await openConnections(peer.port, 1);
  const [asked] = questions(key);
  const [same] = questions();
  if (!ours || !theirs || !asked || !same) throw new Error('Expected two contestants with a question each.');
  const [answer, other] = [read(await ours.ask(asked)), read(await theirs.ask(same))];
  if (!isDeepStrictEqual(answer, other)) {
    throw new Error(
      `A peer answers differently.\nours:  ${JSON.stringify(answer).slice(0, 600)}\npeer: ${JSON.stringify(other).slice(0, 600)}`,
    );
  }
  ours.close();
  theirs.close();
}
