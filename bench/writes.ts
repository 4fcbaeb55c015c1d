/** writes: an answered change is on disk, for the gateway and for the peer. */
import { join } from 'node:path';
import { requirePayload } from './claims.ts';
import type { Gateway } from './gateway.ts';
import { HttpConnection, openConnections, requestOf, runClients } from './http-load.ts';
import { createJobRequest, createProject } from './jobs.ts';
import { type Server, startServer } from './processes.ts';
import type { Report } from './report.ts';
import { type Contestant, type Plan, takeTurns } from './rounds.ts';

const WRITERS = 64;

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
