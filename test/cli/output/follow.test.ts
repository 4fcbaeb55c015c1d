/** What following a job shows, against a real gateway. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { unwrap } from '../../../src/client/errors.ts';
import { ClaimNextStepsDocument, CompleteStepDocument, ReportProgressDocument } from '../../../src/client/generated.ts';
import { createRequester, type Requester } from '../../../src/client/request.ts';
import { eventually } from '../../agent/eventually.ts';
import { createSqliteDatabase, type TestDatabase } from '../../support/databases.ts';
import { createFolder, removeFolder } from '../../support/folders.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { runHere, writeJob } from '../processes.ts';

const folder = createFolder('follow');
let database: TestDatabase;
let gateway: Gateway;
let client: Requester;
beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  client = createRequester({ url: gateway.url, token: gateway.adminKey });
});
afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
  removeFolder(folder);
});

const trainyard = (...args: string[]) => runHere(args, { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey });

async function claim() {
  const [claimed] = unwrap((await client.request(ClaimNextStepsDocument, { input: { waitSeconds: 20 } })).claimNextSteps).claims;
  if (claimed === undefined) throw new Error('Nothing came to be claimed.');
  return claimed;
}

const report = async (
  leaseToken: string,
  offset: number,
  text: string,
  metrics: { name: string; value: number; iteration: number }[] = [],
) => unwrap((await client.request(ReportProgressDocument, { input: { leaseToken, log: [{ offset, text }], metrics } })).reportProgress);

const complete = async (leaseToken: string) => unwrap((await client.request(CompleteStepDocument, { input: { leaseToken } })).completeStep);

test('following a job prints its output in order, with a heading per step, only the last write of a progress bar, and a few of many reports', async () => {
  const file = await writeJob(folder, 'name: two steps\nsteps: [{name: prepare}, {name: train}]\n');
  const id = (await trainyard('submit', file)).stdout.trim();
  let { lease } = await claim();
  await report(lease.token, 0, '\r10%\r20%', [{ name: 'done', value: 1, iteration: 1 }]);
  await report(lease.token, 8, '\r100%\r\nprepared\n');
  await complete(lease.token);
  ({ lease } = await claim());
  for (let frame = 0; frame < 20; frame += 1) {
    const metrics = Array.from({ length: 100 }, (_, i) => ({ name: 'loss', value: 1, iteration: 100 * frame + i }));
    await report(lease.token, 0, 'training\n', metrics);
  }
  await complete(lease.token);

  const { code, stdout, stderr } = await trainyard('watch', id);
  expect([code, stdout]).toEqual([0, '100%\nprepared\ntraining\n']);
  const lines = stderr.trimEnd().split('\n');
  const place = (text: string) => lines.findIndex((line) => line.startsWith(text));
  const wanted = [
    '== job QUEUED',
    '== job RUNNING',
    '== step 0 prepare RUNNING',
    '-- log of step 0 prepare --',
    '== step 0 prepare SUCCEEDED',
    '== step 1 train RUNNING',
    '-- log of step 1 train --',
    '== step 1 train SUCCEEDED',
    '== job SUCCEEDED',
    '== two steps SUCCEEDED',
  ];
  const places = wanted.map(place);
  expect(places, stderr).toEqual([...places].sort((a, b) => a - b));
  expect(places).not.toContain(-1);
  expect(lines.filter((line) => line.startsWith('-- iteration')).length).toBeLessThan(10);
  expect(stderr).toContain('-- iteration 1999: loss 1\n');
  expect(stderr).toMatch(/-- \d+ more reports were not shown: trainyard metrics job_\w+ --/);
  expect((await trainyard('logs', id)).stdout).toBe('100%\nprepared\ntraining\n');
  expect((await trainyard('logs', id)).stderr).toBe('-- log of step 0 prepare --\n-- log of step 1 train --\n');
});

test('following a job that has waited for a while says why it waits', async () => {
  const file = await writeJob(folder, 'name: waits\ncontainer: {command: x, resources: {gpu: 8}}\n');
  const stop = new AbortController();
  const following = runHere(['submit', file, '--follow'], { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey }, stop.signal);
  await eventually(() => expect(following.stderr()).toMatch(/^-- step 0 Run waits: ./m));
  stop.abort();
  expect((await following).code).toBe(130);
  // Nothing is left that another test might claim.
  const [id = ''] = /job_\w+/.exec(following.stdout() + following.stderr()) ?? [];
  expect((await trainyard('cancel', id)).code).toBe(0);
});

test('every command reports an unknown job in the same words', async () => {
  const said = [];
  for (const command of ['job', 'logs', 'watch']) said.push(await trainyard(command, 'BADID'));
  for (const one of said)
    expect(one).toEqual({ code: 2, stdout: '', stderr: 'trainyard: There is no job BADID, or the key cannot see it.\n' });
});

test('a gateway that is away is reported at once', async () => {
  for (const command of ['logs', 'watch', 'job']) {
    const away = await runHere([command, 'job_1'], { TRAINYARD_URL: 'http://127.0.0.1:9', TRAINYARD_TOKEN: 'tyk_any' });
    expect(away).toMatchObject({ code: 4, stdout: '', stderr: expect.stringMatching(/^trainyard: .*cannot be reached.*\n$/) });
  }
});

/**
 * A proxy before the gateway: cuts all sockets, and then holds the next ones that subscribe to a
 * log, open but unanswered, until they are let through.
 */
async function openRelay() {
  const sockets = new Set<WebSocket>();
  let letThrough = Promise.resolve();
  const server = createServer(async (request, response) => {
    const { authorization = '' } = request.headers;
    const headers = { 'content-type': 'application/json', authorization };
    const answer = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers, body: await readText(request) });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(await answer.text());
  });
  new WebSocketServer({ server }).on('connection', (socket, { url }) => {
    sockets.add(socket.on('error', () => {}));
    const upstream = new WebSocket(`${gateway.url.replace('http', 'ws')}${url}`, socket.protocol);
    const isOpen = once(upstream, 'open');
    socket.on('message', async (data) => {
      const message = String(data);
      await isOpen;
      if (message.includes('subscription log(')) await letThrough;
      upstream.send(message);
    });
    socket.on('close', () => upstream.terminate());
    upstream.on('message', (data) => socket.send(String(data))).on('close', () => socket.terminate());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on a port
    cutAndHold(): () => void {
      const held = Promise.withResolvers<void>();
      letThrough = held.promise;
      for (const socket of sockets) socket.terminate();
      return held.resolve;
    },
    close: () => server.close(),
  };
}

test('the end of a job is printed after its whole log, even if the connection of the log returns last (P7)', async () => {
  const relay = await openRelay();
  try {
    const id = (await trainyard('submit', await writeJob(folder, 'name: cut\nsteps: [{name: train}]\n'))).stdout.trim();
    const { lease } = await claim();
    await report(lease.token, 0, 'first\n');
    const following = runHere(['watch', id, '--json'], { TRAINYARD_URL: relay.url, TRAINYARD_TOKEN: gateway.adminKey });
    await eventually(() => expect(following.stdout()).toContain('first'));
    const letThrough = relay.cutAndHold();
    await report(lease.token, 6, 'last\n');
    await complete(lease.token);
    // The step's end waits for the log for a while. The job's end came with it.
    await eventually(() => expect(following.stdout()).toContain('"stepTo":"SUCCEEDED"'));
    letThrough();
    const lines = (await following).stdout.trimEnd().split('\n');
    const told = lines.map((line) => JSON.parse(line)).filter(({ type }) => ['log', 'status', 'outcome'].includes(type));
    expect(told.map(({ type, text: line, to }) => line ?? to ?? type)).toEqual([
      'QUEUED',
      'RUNNING',
      'first\n',
      'last\n',
      'SUCCEEDED',
      'outcome',
    ]);
  } finally {
    relay.close();
  }
});
