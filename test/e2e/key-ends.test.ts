/**
 * A key that ends closes everything opened with it: sockets, streams, uploads and downloads (P15).
 */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPostgresDatabase, createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { ask, openSocket } from './asking.ts';
import { buildWorld, type World } from './world.ts';

/** More than both ends of a connection buffer, so that an unread download does not finish. */
const FILE_BYTES = 48 * 1024 * 1024;

describe.each([
  { dialect: 'sqlite', create: createSqliteDatabase },
  { dialect: 'postgres', create: createPostgresDatabase },
])('A key that ends on $dialect', ({ create }) => {
  let database: TestDatabase;
  let gateway: Gateway;
  let world: World;
  /** A large file, with its signed URL. */
  let large: { id: string; downloadUrl: string };
  beforeAll(async () => {
    database = await create();
    gateway = await startGateway({ database });
    world = await buildWorld(gateway);
    const id = await announce('large');
    await fetch(`${gateway.url}/fragments/${id}`, { method: 'PUT', headers: bearer(gateway.adminKey), body: Buffer.alloc(FILE_BYTES) });
    large = { id, ...(await answerOf<{ downloadUrl: string }>('fragment', `{ fragment(id: "${id}") { downloadUrl } }`)) };
  });
  afterAll(async () => {
    await gateway.stop();
    await database.remove();
  });

  /** The admin's result of this field. The document selects the fields. */
  async function answerOf<T>(field: string, document: string): Promise<T> {
    const answer = await ask(gateway, gateway.adminKey, document);
    const value = answer.data?.[field];
    if (!value) throw new Error(JSON.stringify(answer));
    return value as T; // as asked for
  }
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  async function announce(filename: string): Promise<string> {
    const input = `projectId: "${world.project}", filename: "${filename}", type: DATA`;
    const document = `mutation { createFragment(input: {${input}}) { ... on CreateFragmentPayload { fragment { id } } } }`;
    return (await answerOf<{ fragment: { id: string } }>('createFragment', document)).fragment.id;
  }
  const change = (name: string, input: string) => ask(gateway, gateway.adminKey, `mutation { ${name}(input: {${input}}) { __typename } }`);

  /** Opens everything that a key can open. Each result resolves with its end. */
  async function openAll(key: string, filename: string) {
    const socket = await openSocket(gateway, key, `subscription { log(jobId: "${world.own}") { cursor } }`);
    const events = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { ...bearer(key), accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ query: `subscription { metrics(jobId: "${world.own}") { cursor } }` }),
    });
    const download = await beginDownload(`/fragments/${large.id}`, bearer(key));
    const upload = await beginUpload(await announce(filename), key);
    return { socket: socket.closed, events: events.text(), download, upload };
  }

  /** Reads a part of a file. `rest` reads to its end and returns the number of bytes. */
  async function beginDownload(path: string, headers: Record<string, string>): Promise<{ rest(): Promise<number> }> {
    const response = await fetch(`${gateway.url}${path}`, { headers });
    const parts = (response.body ?? new ReadableStream<Uint8Array>())[Symbol.asyncIterator]();
    let bytes = (await parts.next()).value?.byteLength ?? 0;
    return {
      async rest() {
        for (let part = await parts.next(); !part.done; part = await parts.next()) bytes += part.value.byteLength;
        return bytes;
      },
    };
  }

  /**
   * Sends a part of a file once the gateway asks for it. `answer` is the status, which comes
   * without the rest.
   */
  async function beginUpload(id: string, key: string): Promise<{ id: string; answer: Promise<number> }> {
    const headers = { ...bearer(key), 'content-length': FILE_BYTES, expect: '100-continue' };
    const sending = request(`${gateway.url}/fragments/${id}`, { method: 'PUT', headers });
    const answer = new Promise<number>((resolve, reject) => {
      sending.once('response', (response) => resolve(response.statusCode ?? 0));
      sending.once('error', reject);
    });
    const asked = new Promise<void>((resolve) => sending.once('continue', resolve));
    sending.flushHeaders();
    await Promise.race([asked, answer]);
    sending.write('a part');
    return { id, answer };
  }

  const statusOf = async (id: string) => (await answerOf<{ status: string }>('fragment', `{ fragment(id: "${id}") { status } }`)).status;

  test('by being revoked closes them within 5 s (P15)', async () => {
    const { secret, apiKeyId } = await world.makeKey(`role: EDITOR, projectId: "${world.project}"`);
    const opened = await openAll(secret, 'revoked');
    const before = performance.now();
    await change('revokeApiKey', `apiKeyId: "${apiKeyId}"`);
    expect([await opened.socket, await opened.upload.answer]).toEqual([4401, 401]);
    expect(await opened.events).toMatch(/UNAUTHENTICATED[\s\S]*event: complete/);
    expect(performance.now() - before).toBeLessThan(5_000);
    await expect(opened.download.rest()).rejects.toThrow();
    expect(await statusOf(opened.upload.id)).toBe('PENDING');
  });

  test('by being rotated closes them with the overlap, and those of the new key stay open (P15)', async () => {
    const { secret, apiKeyId } = await world.makeKey(`role: EDITOR, projectId: "${world.project}"`);
    const opened = await openAll(secret, 'rotated');
    const rotated = await answerOf<{ secret: string; replaced: { expiresAt: string } }>(
      'rotateApiKey',
      `mutation { rotateApiKey(input: {apiKeyId: "${apiKeyId}", overlapSeconds: 1}) { ... on RotateApiKeyPayload { secret replaced { expiresAt } } } }`,
    );
    const renewed = await openSocket(gateway, rotated.secret, `subscription { log(jobId: "${world.own}") { cursor } }`);
    let isRenewedClosed = false;
    void renewed.closed.then(() => {
      isRenewedClosed = true;
    });
    expect([await opened.socket, await opened.upload.answer]).toEqual([4403, 401]);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(rotated.replaced.expiresAt));
    expect(await opened.events).toMatch(/The key expired[\s\S]*event: complete/);
    await expect(opened.download.rest()).rejects.toThrow();
    expect((await ask(gateway, rotated.secret, '{ viewer { name } }')).status).toBe(200);
    expect(isRenewedClosed).toBe(false);
  });

  test('by getting an earlier expiry closes them then (P15)', async () => {
    const { secret, apiKeyId } = await world.makeKey(`role: VIEWER, projectId: "${world.project}", expiresInSeconds: 3600`);
    const socket = await openSocket(gateway, secret, `subscription { log(jobId: "${world.own}") { cursor } }`);
    await change('updateApiKey', `apiKeyId: "${apiKeyId}", expiresInSeconds: 0.2`);
    expect(await socket.closed).toBe(4403);
  });

  test('does not end a transfer by a signed URL, which belongs to no key', async () => {
    const { secret, apiKeyId } = await world.makeKey(`role: VIEWER, projectId: "${world.project}"`);
    const socket = await openSocket(gateway, secret, `subscription { log(jobId: "${world.own}") { cursor } }`);
    const download = await beginDownload(large.downloadUrl, bearer(secret));
    await change('revokeApiKey', `apiKeyId: "${apiKeyId}"`);
    await socket.closed;
    expect(await download.rest()).toBe(FILE_BYTES);
  });

  test('with its device or its job closes them as well (P15)', async () => {
    const { device, apiKey } = await answerOf<{ device: { id: string }; apiKey: string }>(
      'registerDevice',
      `mutation { registerDevice(input: {projectId: "${world.project}", name: "gone"}) { ... on RegisterDevicePayload { device { id } apiKey } } }`,
    );
    const ofDevice = await openSocket(gateway, apiKey, `subscription { claimableSteps(deviceId: "${device.id}") }`);
    await change('deleteDevice', `deviceId: "${device.id}"`);
    expect(await ofDevice.closed).toBe(4401);
    const ofLease = await openSocket(gateway, world.keys.lease, `subscription { log(jobId: "${world.own}") { cursor } }`);
    const ofJob = await openSocket(gateway, world.keys.job, `subscription { log(jobId: "${world.own}") { cursor } }`);
    await change('completeStep', `leaseToken: "${world.leaseToken}"`);
    expect([await ofLease.closed, await ofJob.closed]).toEqual([4401, 4401]);
  });
});
