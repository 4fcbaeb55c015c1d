/**
 * What an operator sees of a gateway: metrics, log, traces and health. Of gateway processes, on
 * each database.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { makeSmallDisk, whyNoSmallDisk } from '../chaos/nemesis/small-disk.ts';
import { createPostgresDatabase, createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { openProxy } from '../support/proxy.ts';
import { claim, createJob, firstFrame, post } from './asking.ts';
import { openReceiver } from './receiver.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function start(create: () => Promise<TestDatabase>, env: Record<string, string> = {}, flags: string[] = []): Promise<Gateway> {
  const database = await create();
  ending.push(() => database.remove());
  const gateway = await startGateway({ database, env, flags });
  ending.push(() => gateway.stop());
  return gateway;
}

async function firstProject({ url, adminKey }: Gateway): Promise<string> {
  const { body } = await post(url, adminKey, '{ projects(first: 1) { nodes { id } } }');
  const nodes: unknown = body.data?.projects?.nodes;
  return String((nodes as { id: string }[])[0]?.id); // selected above
}

async function scrape({ url }: Gateway, key: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, text: await response.text() };
}

describe.each([
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
])('A gateway on $dialect', ({ create }) => {
  test('counts its work in the metrics that docs/operations.md explains', async () => {
    const gateway = await start(create);
    const { url, adminKey } = gateway;
    const projectId = await firstProject(gateway);
    await post(url, adminKey, createJob, { projectId, name: 'counted' });
    await post(url, adminKey, claim);
    await post(url, adminKey, claim);
    await post(url, adminKey, 'mutation { renewLease(input: { leaseToken: "none" }) { __typename } }');
    await post(url, adminKey, 'query Chosen { nothing }');
    await firstFrame(url, adminKey, 'subscription { events { cursor } }');
    const { text } = await scrape(gateway, adminKey);
    expect(text).toContain('trainyard_operations_total{type="mutation",operation="createJob",code="OK"} 1');
    expect(text).toContain('trainyard_operations_total{type="none",operation="none",code="BAD_REQUEST"} 1');
    expect(text).toContain('trainyard_claims_total{outcome="claimed"} 1');
    expect(text).toContain('trainyard_claims_total{outcome="empty"} 1');
    expect(text).toContain('trainyard_refusals_total{mutation="renewLease",code="INVALID_INPUT"} 1');
    expect(text).toContain('trainyard_steps{status="RUNNING"} 1');
    expect(text).toContain('trainyard_jobs{status="RUNNING"} 1');
    expect(text).toContain('trainyard_frames_total{stream="events",transport="websocket"} 1');
    expect(text).toMatch(/trainyard_store_commit_seconds_count [1-9]/);
    expect(text).toMatch(/trainyard_data_free_bytes \d{6,}/);
    expect(text).not.toContain('Chosen');
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const names = [...text.matchAll(/^# TYPE (trainyard_\w+) /gm)].map(([, name]) => name ?? '');
    expect(names.length).toBeGreaterThan(30);
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  test('writes no secret into its log, at any level', async () => {
    const gateway = await start(create, {}, ['--log-level', 'debug']);
    const { url, adminKey } = gateway;
    const projectId = await firstProject(gateway);
    const made = await post(url, adminKey, createJob, { projectId, name: 'a-name-nobody-need-read' });
    const claimed = await post(url, adminKey, claim);
    const leaseToken = JSON.stringify(claimed.body).match(/lease_[\w-]+/)?.[0] ?? '';
    const jobId = JSON.stringify(made.body).match(/job_\w+/)?.[0] ?? '';
    const announce =
      'mutation ($jobId: ID!) { createFragment(input: { jobId: $jobId, filename: "x", type: DATA }) { ... on CreateFragmentPayload { uploadUrl } } }';
    const announced = await post(url, adminKey, announce, { jobId });
    const uploadUrl = String(announced.body.data?.createFragment?.uploadUrl);
    await fetch(`${url}${uploadUrl}`, { method: 'PUT', body: 'bytes' });
    await post(url, 'tyk_no-such-key-but-somebodys-secret', '{ viewer { name } }', {}, { 'x-request-id': adminKey });
    await fetch(`${url}/graphql?query={viewer{name}}&variables=${encodeURIComponent('{"a":"in-the-address"}')}`, {
      headers: { authorization: `Bearer ${adminKey}` },
    });
    await post(url, leaseToken, '{ viewer { name } }');
    await firstFrame(url, adminKey, 'subscription { events { cursor } }');
    await gateway.kill('SIGTERM');
    const log = gateway.output();
    const entries = log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>); // lines of JSON
    expect(entries.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['An operation was answered.', 'A request was answered.', 'A socket was closed.', 'The gateway has stopped.']),
    );
    const signature = /signature=([\w-]+)/.exec(uploadUrl)?.[1] ?? '';
    const secrets = [adminKey, leaseToken, signature, 'somebodys-secret', 'in-the-address', 'a-name-nobody-need-read', 'Bearer'];
    expect(secrets.filter((secret) => secret === '' || log.includes(secret))).toEqual([]);
  });

  test('sends spans to the configured exporter, within the traces of its requests', async () => {
    const receiver = await openReceiver();
    ending.push(() => void receiver.close());
    const gateway = await start(create, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'yard' });
    const { url, adminKey } = gateway;
    const projectId = await firstProject(gateway);
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const created = await post(url, adminKey, createJob.replace('mutation', 'mutation Mine'), { projectId, name: 'traced' }, headers);
    expect(created.headers.get('x-request-id')).toBe(traceId);
    await firstFrame(url, adminKey, 'subscription { events { cursor } }');
    await gateway.kill('SIGTERM');
    const spans = new Map(receiver.spans.map((span) => [span.name, span]));
    const request = receiver.spans.find((span) => span.parentSpanId === '00f067aa0ba902b7');
    const operation = spans.get('mutation createJob');
    expect(request).toMatchObject({ traceId, name: 'POST /graphql' });
    expect(operation).toMatchObject({ traceId, parentSpanId: request?.spanId });
    expect(operation?.attributes).toContainEqual({ key: 'graphql.operation.name', value: { stringValue: 'Mine' } });
    const write = receiver.spans.find((span) => span.name === 'store write' && span.parentSpanId === operation?.spanId);
    expect(write?.attributes.map(({ key }) => key)).toEqual(
      expect.arrayContaining(['trainyard.store.queue_ms', 'trainyard.store.commit_ms']),
    );
    const subscription = spans.get('subscription events');
    expect(spans.get('frame of events')?.links).toMatchObject([{ spanId: subscription?.spanId }]);
    expect([...receiver.services]).toEqual([JSON.stringify({ stringValue: 'yard' })]);
    expect(receiver.text()).not.toContain(adminKey);
  });
});

describe('The metrics', () => {
  test('are only for USER keys of all projects, whatever their role', async () => {
    const gateway = await start(createSqliteDatabase);
    const projectId = await firstProject(gateway);
    const makeKey = async (input: string) => {
      const mutation = `mutation { createApiKey(input: { name: "k", ${input} }) { __typename ... on CreateApiKeyPayload { secret } } }`;
      return String((await post(gateway.url, gateway.adminKey, mutation)).body.data?.createApiKey?.secret);
    };
    expect((await fetch(`${gateway.url}/metrics`)).status).toBe(401);
    expect((await scrape(gateway, await makeKey('kind: USER, role: VIEWER'))).status).toBe(200);
    expect((await scrape(gateway, await makeKey(`kind: USER, role: ADMIN, projectId: "${projectId}"`))).status).toBe(403);
  });

  test('are open at their own address, which serves nothing else', async () => {
    const free = await openProxy(1);
    const address = `127.0.0.1:${free.port}`;
    free.close();
    await start(createSqliteDatabase, {}, ['--metrics-address', address]);
    expect((await fetch(`http://${address}/metrics`)).status).toBe(200);
    expect((await fetch(`http://${address}/graphql`)).status).toBe(404);
  });
});

describe('Health', () => {
  const health = async (url: string) => {
    const ready = await fetch(`${url}/health/ready`);
    const said = (await ready.json()) as object; // what /health/ready answers
    return { live: (await fetch(`${url}/health/live`)).status, ready: ready.status, ...said };
  };

  test('of a gateway whose PostgreSQL is gone is live but not ready, until PostgreSQL is back', async () => {
    const database = await createPostgresDatabase();
    ending.push(() => database.remove());
    const direct = new URL(database.url ?? '');
    const proxy = await openProxy(Number(direct.port));
    ending.push(() => proxy.close());
    direct.port = String(proxy.port);
    const gateway = await startGateway({ database: { folder: database.folder, url: direct.href } });
    ending.push(() => gateway.stop());
    expect(await health(gateway.url)).toEqual({ live: 200, ready: 200, status: 'ready', database: { readable: true, writable: true } });
    void proxy.refuse('nothing', 0);
    await vi.waitFor(
      async () => expect(await health(gateway.url)).toMatchObject({ live: 200, ready: 503, database: { readable: false } }),
      20_000,
    );
    proxy.accept();
    await vi.waitFor(
      async () => expect(await health(gateway.url)).toMatchObject({ ready: 200, database: { readable: true, writable: true } }),
      20_000,
    );
  });

  test.skipIf(whyNoSmallDisk() !== null)(
    'of a gateway on a full disk is ready to read but not to write, until there is space (P12)',
    async () => {
      const folder = createFolder('small');
      const disk = await makeSmallDisk(folder, 24);
      ending.push(() => disk.remove());
      const gateway = await startGateway({ database: { folder, url: null }, before: () => disk.before });
      ending.push(() => gateway.stop());
      const projectId = await firstProject(gateway);
      disk.fill();
      const long = 'x'.repeat(9_000);
      const create = createJob.replace('name: $name,', `name: $name, description: "${long}",`);
      const isRefused = async () => {
        const { body } = await post(gateway.url, gateway.adminKey, create, { projectId, name: 'one too many' });
        expect(body.errors?.[0]?.extensions.code).toBe('UNAVAILABLE');
      };
      await vi.waitFor(isRefused, 30_000);
      const full = { live: 200, ready: 200, status: 'ready', database: { readable: true, writable: false } };
      await vi.waitFor(async () => expect(await health(gateway.url)).toEqual(full), 20_000);
      expect((await scrape(gateway, gateway.adminKey)).text).toContain('trainyard_store_trouble 1');
      disk.relieve();
      await vi.waitFor(async () => expect(await health(gateway.url)).toMatchObject({ ready: 200, database: { writable: true } }), 20_000);
    },
  );

  test('of a gateway that stops is not ready at once (P11)', async () => {
    const gateway = await start(createSqliteDatabase);
    const waiting = post(gateway.url, gateway.adminKey, claim.replace('limit: 1', 'limit: 1, waitSeconds: 30'));
    const isWaiting = async () => expect((await scrape(gateway, gateway.adminKey)).text).toContain('trainyard_claims_waiting 1');
    await vi.waitFor(isWaiting, 20_000);
    const stopped = gateway.kill('SIGTERM');
    expect((await waiting).status).toBe(200);
    expect(await stopped).toEqual({ code: 0, signal: null });
    await expect(fetch(`${gateway.url}/health/ready`)).rejects.toThrow();
  });
});
