/**
 * Uploads and downloads of fragments at a real gateway. Transfers that fail leave nothing behind.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createFragment } from '../../src/domain/files/fragments.ts';
import { signUrl } from '../../src/domain/files/signatures.ts';
import { Rates } from '../../src/server/connections/rates.ts';
import { fragmentEndpoint } from '../../src/server/files/files.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { ServerInstruments } from '../../src/server/watch/instruments.ts';
import { ask } from '../e2e/asking.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { admin, plantSeed } from '../support/seed.ts';
import { startSample } from './sample-server.ts';

let database: TestDatabase;
let gateway: Gateway;
let jobId: string;
beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database });
  jobId = await makeJob();
});
afterAll(async () => {
  await gateway.stop();
  await database.remove();
});

const asAdmin = async (query: string, variables = {}) => (await ask(gateway, gateway.adminKey, query, variables)).data ?? {};

async function makeJob(): Promise<string> {
  // The casts here and below follow from the documents of the requests.
  const { createProject } = (await asAdmin(
    'mutation { createProject(input: {name: "p"}) { ... on CreateProjectPayload { project { id } } } }',
  )) as { createProject: { project: { id: string } } };
  const { createJob } = (await asAdmin(
    `mutation { createJob(input: {projectId: "${createProject.project.id}", name: "j"}) { ... on CreateJobPayload { job { id } } } }`,
  )) as { createJob: { job: { id: string } } };
  return createJob.job.id;
}

interface Announced {
  readonly id: string;
  readonly uploadUrl: string;
}

let files = 0;
async function announce(input: object = {}): Promise<Announced> {
  const { createFragment } = (await asAdmin(
    'mutation ($input: CreateFragmentInput!) { createFragment(input: $input) { ... on CreateFragmentPayload { fragment { id } uploadUrl } ... on Error { message } } }',
    { input: { jobId, type: 'DATA', filename: `file ${files++}`, ...input } },
  )) as { createFragment: { fragment: { id: string }; uploadUrl: string } };
  return { id: createFragment.fragment.id, uploadUrl: `${gateway.url}${createFragment.uploadUrl}` };
}

const put = (url: string, body: string | Uint8Array<ArrayBuffer>) => fetch(url, { method: 'PUT', body });

async function read(id: string) {
  const { fragment } = await asAdmin(`{ fragment(id: "${id}") { status sizeBytes sha256 downloadUrl } }`);
  return fragment as { status: string; sizeBytes: number | null; sha256: string | null; downloadUrl: string | null } | null;
}

/** The URL of a new fragment with these bytes. */
async function store(bytes: Buffer, input: object = {}): Promise<string> {
  const { id, uploadUrl } = await announce(input);
  expect((await put(uploadUrl, new Uint8Array(bytes))).status).toBe(200);
  return `${gateway.url}${(await read(id))?.downloadUrl}`;
}

/** The files of this fragment on the disk. */
const stored = (id: string) =>
  readdirSync(join(database.folder, 'fragments'), { recursive: true, encoding: 'utf8' }).filter((name) => name.includes(id));
const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** A PUT whose bytes the test writes itself. */
function openPut(url: string, headers: Record<string, string | number> = {}): { upload: ClientRequest; answer: Promise<IncomingMessage> } {
  const upload = request(url, { method: 'PUT', headers });
  const answer = new Promise<IncomingMessage>((resolve, reject) => upload.once('response', resolve).on('error', reject));
  answer.catch(() => {}); // the test may abort it
  return { upload, answer };
}

describe('An upload', () => {
  test('of any size makes its fragment READY when it is complete', async () => {
    for (const bytes of [Buffer.alloc(0), randomBytes(1), randomBytes(3_000_000)]) {
      const { id, uploadUrl } = await announce({ sizeBytes: bytes.length, sha256: sha256Of(bytes) });
      expect((await put(uploadUrl, new Uint8Array(bytes))).status).toBe(200);
      const fragment = await read(id);
      expect(fragment).toMatchObject({ status: 'READY', sizeBytes: bytes.length, sha256: sha256Of(bytes) });
      const response = await fetch(`${gateway.url}${fragment?.downloadUrl}`);
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    }
  });

  test('that is interrupted leaves nothing, and can be repeated', async () => {
    const { id, uploadUrl } = await announce();
    const { upload } = openPut(uploadUrl, { 'content-length': 1_000_000 });
    upload.write(randomBytes(500_000));
    await vi.waitFor(() => expect(stored(id)).toHaveLength(1));
    upload.destroy();
    await vi.waitFor(() => expect(stored(id)).toEqual([]));
    expect(await read(id)).toMatchObject({ status: 'PENDING', downloadUrl: null });
    expect((await put(uploadUrl, 'again')).status).toBe(200);
    expect(await read(id)).toMatchObject({ status: 'READY', sizeBytes: 5 });
    expect(stored(id)).toHaveLength(1);
  });

  test.each([
    ['another size', { sizeBytes: 4 }, 'abc', 422],
    ['other bytes', { sha256: 'a'.repeat(64) }, 'abc', 422],
    ['more bytes', { sizeBytes: 2 }, 'abc', 413],
  ])('of %s than announced is refused and leaves nothing', async (_, input, body, status) => {
    const { id, uploadUrl } = await announce(input);
    expect((await put(uploadUrl, body)).status).toBe(status);
    const { upload, answer } = openPut(uploadUrl, { 'transfer-encoding': 'chunked' });
    upload.end(body);
    expect((await answer).statusCode).toBe(status);
    expect(stored(id)).toEqual([]);
    expect(await read(id)).toMatchObject({ status: 'PENDING' });
  });

  test('that runs at the same time as another of its fragment leaves exactly one complete file', async () => {
    const { id, uploadUrl } = await announce();
    const bodies = [randomBytes(2_000_000), randomBytes(2_000_000)];
    const statuses = await Promise.all(bodies.map(async (body) => (await put(uploadUrl, new Uint8Array(body))).status));
    expect(statuses.sort()).toEqual([200, 409]);
    const fragment = await read(id);
    const bytes = Buffer.from(await (await fetch(`${gateway.url}${fragment?.downloadUrl}`)).arrayBuffer());
    expect(sha256Of(bytes)).toBe(fragment?.sha256);
    expect(bodies.some((body) => body.equals(bytes))).toBe(true);
    await vi.waitFor(() => expect(stored(id)).toHaveLength(1));
  });

  test('of a fragment that is deleted meanwhile is answered with 404 and leaves nothing', async () => {
    const { id, uploadUrl } = await announce();
    const { upload, answer } = openPut(uploadUrl, { 'content-length': 10 });
    upload.write('12345');
    await vi.waitFor(() => expect(stored(id)).toHaveLength(1));
    await asAdmin(`mutation { deleteFragment(input: {fragmentId: "${id}"}) { __typename } }`);
    upload.end('67890');
    expect((await answer).statusCode).toBe(404);
    expect(stored(id)).toEqual([]);
  });

  test('needs a URL that is signed for this fragment and action and has not expired', async () => {
    const { id, uploadUrl } = await announce();
    const other = await announce();
    const url = new URL(uploadUrl);
    const changed = (name: string, value: string) => {
      const copy = new URL(url);
      copy.searchParams.set(name, value);
      return copy.href;
    };
    const wrong = [
      `${url.origin}${url.pathname}`,
      changed('signature', 'AAAA'),
      changed('signature', '😀'),
      changed('expires', '1'),
      changed('expires', String(Number(url.searchParams.get('expires')) + 1)),
      changed('expires', 'NaN'),
      changed('action', 'GET'),
      uploadUrl.replace(id, other.id),
      uploadUrl.replace(id, 'frag_none'),
      uploadUrl.replace(id, '..%2f..%2fetc'),
    ];
    for (const href of wrong) expect((await put(href, 'x')).status, href).toBe(404);
    expect((await fetch(uploadUrl)).status).toBe(404);
    expect((await fetch(uploadUrl, { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await put(uploadUrl, 'x')).status).toBe(200);
    expect((await put(uploadUrl, 'y')).status).toBe(409);
  });

  test('of 300 MB takes constant memory, and is downloaded unchanged', async () => {
    const part = randomBytes(1024 * 1024);
    const hash = createHash('sha256');
    const { id, uploadUrl } = await announce({ sizeBytes: 300 * part.length });
    const parts = function* () {
      for (let i = 0; i < 300; i++) {
        part.writeUInt32BE(i);
        hash.update(part);
        yield Buffer.from(part);
      }
    };
    const before = residentMegabytes();
    let most = 0;
    const measuring = setInterval(() => {
      most = Math.max(most, residentMegabytes());
    }, 20);
    const { upload, answer } = openPut(uploadUrl, { 'content-length': 300 * part.length });
    Readable.from(parts()).pipe(upload);
    expect((await answer).statusCode).toBe(200);
    const fragment = await read(id);
    const back = createHash('sha256');
    for await (const bytes of (await fetch(`${gateway.url}${fragment?.downloadUrl}`)).body ?? []) back.update(bytes);
    clearInterval(measuring);
    expect(back.digest('hex')).toBe(hash.digest('hex'));
    expect(most - before).toBeLessThan(100);
    await asAdmin(`mutation { deleteFragment(input: {fragmentId: "${id}"}) { __typename } }`);
    expect(stored(id)).toEqual([]);
  });
});

/** The memory of the gateway's process. */
function residentMegabytes(): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'))?.[1]) / 1024;
}

describe('A download', () => {
  const bytes = Buffer.from('0123456789');
  let url: string;
  let etag: string;
  beforeAll(async () => {
    url = await store(bytes);
    etag = `"${sha256Of(bytes)}"`;
  });

  test.each([
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=3-5', 206, '345', 'bytes 3-5/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-4', 206, '6789', 'bytes 6-9/10'],
    ['bytes=-400', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=9-400', 206, '9', 'bytes 9-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=-0', 416, '', 'bytes */10'],
    ['bytes=99999999999999999999-', 200, '0123456789', null],
    ['bytes=5-3', 200, '0123456789', null],
    ['bytes=0-1,4-5', 200, '0123456789', null],
    ['bytes=0-1,10-', 200, '0123456789', null],
    ['bytes=10-,20-', 416, '', 'bytes */10'],
    ['bytes=0-1,a', 200, '0123456789', null],
    ['bytes=a-b', 200, '0123456789', null],
    ['bytes=-', 200, '0123456789', null],
    ['lines=0-3', 200, '0123456789', null],
  ])('with the range %s is answered with %i and %j', async (range, status, body, contentRange) => {
    const response = await fetch(url, { headers: { range } });
    expect([response.status, await response.text(), response.headers.get('content-range')]).toEqual([status, body, contentRange]);
  });

  test('is not repeated for a client that has the file, and not partial for one that has parts of another', async () => {
    for (const tag of [etag, `W/${etag}`, '*', `"a", ${etag}`]) {
      const response = await fetch(url, { headers: { 'if-none-match': tag } });
      expect([response.status, await response.text(), response.headers.get('etag')]).toEqual([304, '', etag]);
    }
    expect((await fetch(url, { headers: { 'if-none-match': '"a"' } })).status).toBe(200);
    expect((await fetch(url, { headers: { range: 'bytes=0-1', 'if-range': etag } })).status).toBe(206);
    expect((await fetch(url, { headers: { range: 'bytes=0-1', 'if-range': '"a"' } })).status).toBe(200);
  });

  test('with HEAD returns the headers of the whole file', async () => {
    const response = await fetch(url, { method: 'HEAD', headers: { range: 'bytes=0-1' } });
    expect([response.status, response.headers.get('content-length'), response.headers.get('etag'), await response.text()]).toEqual([
      200,
      '10',
      etag,
      '',
    ]);
  });

  test('is an attachment with its filename and a type that browsers do not execute', async () => {
    const names = ['plain.txt', 'with "quotes"; and.txt', 'größer 日本 😀.csv', "it's (1)*.txt", '%41.html', '‮txt.exe'];
    for (const filename of names) {
      const response = await fetch(await store(Buffer.from('x'), { filename, contentType: 'text/html' }));
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      const disposition = response.headers.get('content-disposition') ?? '';
      const told = /^attachment; filename="[^"\\%]*"; filename\*=UTF-8''([\w!#$&+.^`|~%-]*)$/.exec(disposition)?.[1];
      expect(decodeURIComponent(told ?? '')).toBe(filename);
    }
    for (const filename of ['a\nb', 'a\r\nSet-Cookie: b', '../a', '/a/b', '..', '\0', '\ud800.txt']) {
      const answer = await asAdmin('mutation ($input: CreateFragmentInput!) { createFragment(input: $input) { ... on Error { code } } }', {
        input: { jobId, type: 'DATA', filename },
      });
      expect(answer).toEqual({ createFragment: { code: 'INVALID_INPUT' } });
    }
  });

  test('of a fragment whose job was deleted is answered with 404, and its bytes are gone', async () => {
    const own = await makeJob();
    const { id, uploadUrl } = await announce({ jobId: own });
    await put(uploadUrl, 'x');
    const address = `${gateway.url}${(await read(id))?.downloadUrl}`;
    expect((await fetch(address)).status).toBe(200);
    await asAdmin(`mutation { cancelJob(input: {jobId: "${own}"}) { __typename } }`);
    await asAdmin(`mutation { deleteJob(input: {jobId: "${own}"}) { __typename } }`);
    expect((await fetch(address)).status).toBe(404);
    expect(stored(id)).toEqual([]);
  });
});

test('a transfer without progress is disconnected, and leaves nothing', async () => {
  const own = await createSqliteDatabase();
  const { domain, createJob } = await plantSeed(await own.open(), { start: new Date().toISOString() });
  const instruments = new ServerInstruments();
  const parts = { stallMs: 300, onKeyEnd: () => () => {}, instruments };
  const endpoint = fragmentEndpoint(domain, new Rates(DEFAULT_LIMITS), parts);
  const closed: Promise<unknown>[] = [];
  const server = await startSample({
    handlers: {
      '/fragments/': (request, response, url) => {
        closed.push(new Promise((resolve) => request.socket.once('close', resolve)));
        return endpoint(request, response, url);
      },
    },
  });
  const { job } = await createJob();
  const announceHere = (filename: string) => createFragment(domain, admin, { jobId: job.id, filename, type: 'DATA' });
  const stalled = await announceHere('stalled');
  const { upload, answer } = openPut(`${server.url}${stalled.uploadUrl}`, { 'content-length': 100 });
  upload.write('some');
  await expect(answer).rejects.toThrow();
  parts.stallMs = 60_000; // the uploads that succeed may be slow on a busy machine
  expect(await (await put(`${server.url}${stalled.uploadUrl}`, 'whole')).json()).toMatchObject({ status: 'READY' });
  // A client that requests more than sockets buffer, and reads none of it.
  const large = await announceHere('large');
  expect((await put(`${server.url}${large.uploadUrl}`, new Uint8Array(30_000_000))).status).toBe(200);
  parts.stallMs = 300;
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1').pause();
  socket.on('error', () => {});
  socket.write(`GET ${signUrl(domain, 'GET', large.fragment.id).url} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await vi.waitFor(() => expect(closed).toHaveLength(4));
  await closed[3];
  socket.destroy();
  await server.close(0);
  await own.remove();
});
