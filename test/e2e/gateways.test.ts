/**
 * Gateways as processes: two on one database, one that is told to stop, and the help on their
 * settings.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import {
  ClaimNextStepsDocument,
  CompleteStepDocument,
  CreateJobDocument,
  CreateProjectDocument,
  LogDocument,
  ReportProgressDocument,
} from '../../src/client/generated.ts';
import { subscribe } from '../../src/client/node/subscribe.ts';
import { createRequester } from '../../src/client/request.ts';
import { bundle } from '../support/bundle.ts';
import { createPostgresDatabase, createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function start(options: Parameters<typeof startGateway>[0]): Promise<Gateway> {
  const gateway = await startGateway(options);
  ending.push(() => gateway.stop());
  return gateway;
}
const targetOf = ({ url, adminKey }: Gateway) => ({ url, token: adminKey });

/** A job with one step, claimed. */
async function claimJob(gateway: Gateway) {
  const client = createRequester(targetOf(gateway));
  const { createProject } = await client.request(CreateProjectDocument, { input: { name: 'Digits' } });
  if (createProject.__typename !== 'CreateProjectPayload') throw new Error(JSON.stringify(createProject));
  const { createJob } = await client.request(CreateJobDocument, { input: { projectId: createProject.project.id, name: 'A job' } });
  if (createJob.__typename !== 'CreateJobPayload') throw new Error(JSON.stringify(createJob));
  const { claimNextSteps } = await client.request(ClaimNextStepsDocument, { input: { limit: 1, leaseSeconds: 60 } });
  const claim = claimNextSteps.__typename === 'ClaimNextStepsPayload' ? claimNextSteps.claims[0] : undefined;
  if (!claim) throw new Error(JSON.stringify(claimNextSteps));
  return { jobId: createJob.job.id, leaseToken: claim.lease.token };
}

test('a subscriber at one gateway sees at once what is done through another on the same PostgreSQL (P7)', async () => {
  const database = await createPostgresDatabase();
  ending.push(() => database.remove());
  const [here, there] = [await start({ database }), await start({ database })];
  const { jobId, leaseToken } = await claimJob(here);
  const elsewhere = createRequester(targetOf(there));
  const texts: string[] = [];
  const heard: number[] = [];
  let isLive = false;
  const reading = (async () => {
    const onState = (state: string) => {
      isLive = state === 'live';
    };
    for await (const { chunks } of subscribe(targetOf(here), LogDocument, { jobId }, { onState })) {
      for (const { text } of chunks) {
        heard.push(performance.now());
        texts.push(text);
      }
    }
  })();
  await vi.waitFor(() => expect(isLive).toBe(true));
  const delays: number[] = [];
  let offset = 0;
  for (let i = 0; i < 20; i++) {
    const text = `line ${i}\n`;
    await elsewhere.request(ReportProgressDocument, { input: { leaseToken, log: [{ offset, text, stream: 'STDOUT' }] } });
    const answered = performance.now();
    offset += text.length;
    await vi.waitFor(() => expect(texts).toHaveLength(i + 1), { interval: 5 });
    delays.push((heard.at(-1) ?? 0) - answered);
  }
  await elsewhere.request(CompleteStepDocument, { input: { leaseToken } });
  await reading;
  expect(texts).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i}\n`));
  // By the notifier, not by the safety poll of five seconds.
  expect(delays.sort((a, b) => a - b)[10]).toBeLessThan(250);
});

test('SIGTERM closes sockets with 1012, so that they reconnect, and the gateway exits with 0 within 15 s (P11)', async () => {
  const database = await createSqliteDatabase();
  ending.push(() => database.remove());
  const gateway = await start({ database });
  const { jobId } = await claimJob(gateway);
  const sockets = await Promise.all(Array.from({ length: 5 }, () => openStream(gateway, jobId)));
  const before = performance.now();
  expect(await gateway.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(performance.now() - before).toBeLessThan(15_000);
  expect(await Promise.all(sockets.map(({ closed }) => closed))).toEqual(Array(5).fill(1012));
});

/** Subscribes over a bare socket, to see its close code. */
async function openStream(gateway: Gateway, jobId: string): Promise<{ closed: Promise<number> }> {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const live = new Promise<void>((resolve) =>
    socket.on('message', (data) => {
      const text = String(data);
      if (text.includes('connection_ack')) {
        const query = 'subscription ($jobId: ID!) { log(jobId: $jobId) { cursor state } }';
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { jobId } } }));
      }
      if (text.includes('LIVE')) resolve();
    }),
  );
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${gateway.adminKey}` } }));
  await live;
  return { closed };
}

test.each(['serve', 'up'])('`trainyard %s --help` lists every setting with its default', (command) => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [bundle, command, '--help'], { cwd: root, encoding: 'utf8' });
  expect(status).toBe(0);
  for (const setting of ['--host', '--port', '--data-dir', '--database-url', 'TRAINYARD_HOST', 'TRAINYARD_PORT', 'TRAINYARD_DATA_DIR'])
    expect(stdout).toContain(setting);
  for (const value of ['TRAINYARD_DATABASE_URL', 'TRAINYARD_ADMIN_KEY', 'default 127.0.0.1', 'default 4000', 'default ./data'])
    expect(stdout).toContain(value);
});
