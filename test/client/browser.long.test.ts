/** The client in a real Chromium, against a gateway that is killed and whose network is cut. */
import chromium from '@sparticuz/chromium';
import { type Browser, type Page, chromium as playwright } from 'playwright-core';
import { rolldown } from 'rolldown';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/client/errors.ts';
import { CreateApiKeyDocument, RevokeApiKeyDocument } from '../../src/client/generated.ts';
import { createRequester } from '../../src/client/request.ts';
import { lines, type RunningJob, runJob } from '../clients/scene.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { openProxy } from '../support/proxy.ts';

let database: TestDatabase;
let gateway: Gateway;
let proxy: Awaited<ReturnType<typeof openProxy>>;
let browser: Browser;
let script: string;
let page: Page;
/** How many sockets of the page are open, and were at most at the same time. */
let sockets = { open: 0, most: 0 };

beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  proxy = await openProxy(gateway.port);
  browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    // In a single process, the browser ends with its first page.
    args: chromium.args.filter((arg) => !['--single-process', '--disable-web-security'].includes(arg)),
    headless: true,
  });
  script = await bundle();
});
afterAll(async () => {
  await browser?.close();
  proxy?.close();
  await gateway?.stop();
  await database?.remove();
});
afterEach(async () => {
  proxy.accept();
  await page?.close();
});

async function bundle(): Promise<string> {
  const built = await rolldown({
    input: new URL('page.ts', import.meta.url).pathname,
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  });
  const { output } = await built.generate({ format: 'iife' });
  return output[0].code;
}

/** A page of the gateway's origin, as the network shows it, with a client that holds this key. */
async function open(token: string, options: { readonly backoffMs: number } = { backoffMs: 200 }): Promise<void> {
  page = await browser.newPage({ bypassCSP: true });
  sockets = { open: 0, most: 0 };
  page.on('websocket', (socket) => {
    sockets.open += 1;
    sockets.most = Math.max(sockets.most, sockets.open);
    socket.on('close', () => {
      sockets.open -= 1;
    });
  });
  await page.goto(`http://127.0.0.1:${proxy.port}/health/live`);
  await page.addScriptTag({ content: script });
  await page.evaluate(
    ({ token, backoffMs }) => {
      globalThis.harness.connect({ url: '/', token, backoff: { baseMs: backoffMs, capMs: backoffMs, random: () => 1 } });
    },
    { token, ...options },
  );
}

const follow = (name: string, { jobId }: RunningJob) =>
  page.evaluate(([name, jobId]) => globalThis.harness.follow(name, jobId), [name, jobId] as const);
const seen = () => page.evaluate(() => globalThis.harness.seen);
const states = () => page.evaluate(() => globalThis.harness.states);
const connection = () => page.evaluate(() => globalThis.harness.connection);
/** Resolves when the stream has shown so many lines. */
const hasLines = (name: string, count: number) =>
  page.waitForFunction(([name, count]) => (globalThis.harness.seen[name]?.lines.length ?? 0) >= count, [name, count] as const);
const hasEnded = (name: string) => page.waitForFunction((name) => globalThis.harness.seen[name]?.end !== null, name);
const isLiveBy = (via: string) =>
  page.waitForFunction((via) => globalThis.harness.connection.state === 'live' && globalThis.harness.connection.via === via, via, {
    timeout: 60_000,
  });

/** Writes to two logs while the gateway is killed so often, and reads both to their ends. */
async function followOverKills(times: number): Promise<void> {
  const first = await runJob(gateway);
  const second = await runJob(gateway);
  await follow('first', first);
  await follow('second', second);
  for (let kills = 0; kills < times; kills += 1) {
    await first.write(...lines(20, kills * 20));
    await second.write(...lines(10, kills * 10));
    await hasLines('first', kills * 20 + 1);
    await gateway.restart();
  }
  await first.complete();
  await second.complete();
  await hasEnded('first');
  await hasEnded('second');
  expect(await seen()).toEqual({
    first: { lines: lines(20 * times), end: 'ended' },
    second: { lines: lines(10 * times), end: 'ended' },
  });
}

const webSockets = 'Upgrade: websocket';

describe('In a browser, the client', () => {
  test('follows two logs on one socket over three kills of the gateway: nothing is lost, nothing comes twice (P7)', async () => {
    await open(gateway.adminKey);
    await followOverKills(3);
    expect(sockets.most).toBe(1);
    expect(await states()).toEqual(expect.arrayContaining(['connecting', 'websocket', 'reconnecting']));
    // The connection closes some seconds after the last stream.
    await page.waitForFunction(() => globalThis.harness.connection.state === 'idle');
  });

  test('takes server-sent events where no socket gets through, with the same result, and a socket when one does (P7)', async () => {
    proxy.block(webSockets);
    await open(gateway.adminKey);
    await followOverKills(1);
    expect(await states()).toContain('sse');
    expect(await states()).not.toContain('websocket');

    const next = await runJob(gateway);
    await next.write(...lines(10));
    await follow('next', next);
    await hasLines('next', 10);
    expect(await connection()).toMatchObject({ state: 'live', via: 'sse' });
    proxy.accept();
    await isLiveBy('websocket');
    await next.write(...lines(10, 10));
    await next.complete();
    await hasEnded('next');
    expect((await seen()).next?.lines).toEqual(lines(20));
  });

  test('follows more logs by server-sent events than a browser opens connections, and still sends requests', async () => {
    proxy.block(webSockets);
    await open(gateway.adminKey);
    const jobs = await Promise.all(Array.from({ length: 9 }, () => runJob(gateway)));
    for (const [i, job] of jobs.entries()) {
      await job.write(...lines(5));
      await follow(`log ${i}`, job);
    }
    for (const i of jobs.keys()) await hasLines(`log ${i}`, 5);
    expect(await page.evaluate((jobId) => globalThis.harness.askName(jobId), jobs[0]?.jobId ?? '')).toBe('A job');
    for (const job of jobs) await job.write(...lines(5, 5));
    for (const i of jobs.keys()) await hasLines(`log ${i}`, 10);
    for (const job of jobs) await job.complete();
    for (const i of jobs.keys()) await hasEnded(`log ${i}`);
    expect(Object.values(await seen())).toEqual(jobs.map(() => ({ lines: lines(10), end: 'ended' })));
    expect(await states()).not.toContain('websocket');
  });

  test.each(['websocket', 'sse'])('ends its streams by %s with UNAUTHENTICATED within seconds after the key was revoked', async (via) => {
    if (via === 'sse') proxy.block(webSockets);
    const job = await runJob(gateway);
    const { id, secret } = await makeKey(job.projectId);
    await open(secret);
    await job.write(...lines(3));
    for (const name of ['first', 'second']) {
      await follow(name, job);
      await hasLines(name, 3);
    }
    await revokeKey(id);
    for (const name of ['first', 'second']) await hasEnded(name);
    const end = { lines: lines(3), end: 'UNAUTHENTICATED' };
    expect(await seen()).toEqual({ first: end, second: end });
    await page.waitForFunction(() => globalThis.harness.connection.state === 'idle');
    expect((await connection()).reason).toMatch(/key/i);
  });

  test('tries at once when its network is back, however long the pause would be', async () => {
    await open(gateway.adminKey, { backoffMs: 3_600_000 });
    const job = await runJob(gateway);
    await job.write(...lines(3));
    await follow('log', job);
    await hasLines('log', 3);
    await gateway.restart();
    await page.waitForFunction(() => globalThis.harness.connection.state !== 'live');
    await page.waitForFunction(
      () => {
        globalThis.dispatchEvent(new Event('online'));
        return globalThis.harness.connection.state === 'live';
      },
      null,
      { polling: 1_000 },
    );
    await job.write(...lines(3, 3));
    await hasLines('log', 6);
    await job.complete();
    await hasEnded('log');
    expect((await seen()).log?.lines).toEqual(lines(6));
  });

  test.each(['preact', 'react'] as const)('shows a log by the hook for %s, over a kill of the gateway', async (library) => {
    await open(gateway.adminKey);
    const job = await runJob(gateway);
    await job.write(...lines(3));
    await page.evaluate(([library, jobId]) => globalThis.harness.show(library, 'shown', jobId), [library, job.jobId] as const);
    await page.locator('#shown pre.live', { hasText: 'line 2' }).waitFor();
    await gateway.restart();
    await job.write(...lines(3, 3));
    await job.complete();
    await page.locator('#shown pre.ended').waitFor();
    expect(await page.locator('#shown pre').textContent()).toBe(`${lines(6).join('\n')}\n`);
  });
});

async function makeKey(projectId: string): Promise<{ id: string; secret: string }> {
  const input = { name: 'of a page', role: 'VIEWER' as const, projectId };
  const { apiKey, secret } = unwrap((await admin().request(CreateApiKeyDocument, { input })).createApiKey);
  return { id: apiKey.id, secret };
}

async function revokeKey(apiKeyId: string): Promise<void> {
  unwrap((await admin().request(RevokeApiKeyDocument, { input: { apiKeyId } })).revokeApiKey);
}

const admin = () => createRequester({ url: gateway.url, token: gateway.adminKey });
