/** Headers of transfers that set conditions: If-Match, Expect and others. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Domain } from '../../src/domain/core/domain.ts';
import { createFragment } from '../../src/domain/files/fragments.ts';
import { signUrl } from '../../src/domain/files/signatures.ts';
import { Rates } from '../../src/server/connections/rates.ts';
import { fragmentEndpoint } from '../../src/server/files/files.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { ServerInstruments } from '../../src/server/watch/instruments.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { admin, plantSeed } from '../support/seed.ts';
import { type SampleServer, startSample } from './sample-server.ts';

let domain: Domain;
let server: SampleServer;
let jobId: string;
beforeAll(async () => {
  const database = await createSqliteDatabase();
  const seed = await plantSeed(await database.open(), { start: new Date().toISOString() });
  domain = seed.domain;
  jobId = (await seed.createJob()).job.id;
  const parts = { stallMs: 5_000, onKeyEnd: () => () => {}, instruments: new ServerInstruments() };
  server = await startSample({ handlers: { '/fragments/': fragmentEndpoint(domain, new Rates(DEFAULT_LIMITS), parts) } });
  return async () => {
    await server.close(0);
    await database.remove();
  };
});

let files = 0;
/** A fragment whose three bytes are not uploaded yet. */
async function announce(): Promise<{ id: string; uploadUrl: string }> {
  const input = { jobId, filename: `file ${files++}`, type: 'DATA', sizeBytes: 3 } as const;
  const { fragment, uploadUrl } = await createFragment(domain, admin, input);
  return { id: fragment.id, uploadUrl: `${server.url}${uploadUrl}` };
}

/** The headers of an upload that waits for 100 Continue. */
function open(url: string, headers: Record<string, string>): { upload: ClientRequest; answer: Promise<IncomingMessage> } {
  const upload = request(url, { method: 'PUT', headers: { expect: '100-continue', ...headers }, agent: false });
  const answer = once(upload, 'response').then(([response]: IncomingMessage[]) => response as IncomingMessage); // what the event brings
  upload.flushHeaders();
  return { upload, answer };
}

describe('An upload', () => {
  test.each([
    ['packed', { 'content-length': '3', 'content-encoding': 'gzip' }, 415],
    ['packed by the way it is sent', { 'transfer-encoding': 'gzip, chunked' }, 501],
    ['for another file than is there', { 'content-length': '3', 'if-match': '"a"' }, 412],
    ['for any file that is there', { 'content-length': '3', 'if-match': '*' }, 412],
    ['shorter than announced by what it says', { 'content-length': '2' }, 422],
    ['longer than announced by what it says', { 'content-length': '4' }, 413],
  ])('that is %s is refused before its bytes are sent (P14)', async (_, headers, status) => {
    const { uploadUrl } = await announce();
    const { upload, answer } = open(uploadUrl, headers);
    let isWanted = false;
    upload.on('continue', () => {
      isWanted = true;
    });
    expect([(await answer).statusCode, isWanted]).toEqual([status, false]);
    upload.on('error', () => {}).destroy();
    // The upload can still be done.
    expect((await fetch(uploadUrl, { method: 'PUT', body: 'abc', headers: { 'content-encoding': 'identity' } })).status).toBe(200);
  });

  test('that waits for 100 Continue gets it once (P14)', async () => {
    const { upload, answer } = open((await announce()).uploadUrl, { 'content-length': '3' });
    let asked = 0;
    upload.on('information', () => {
      asked += 1;
      if (asked === 1) upload.end('abc');
    });
    expect([(await answer).statusCode, asked]).toEqual([200, 1]);
  });
});

test('a download with If-Match of another file is refused with 412, whatever its other headers (P14)', async () => {
  const { id, uploadUrl } = await announce();
  await fetch(uploadUrl, { method: 'PUT', body: 'abc' });
  const url = `${server.url}${signUrl(domain, 'GET', id).url}`;
  const etag = `"${createHash('sha256').update('abc').digest('hex')}"`;
  for (const tag of [etag, '*', `"a", ${etag}`, `W/"a",${etag}`]) {
    const response = await fetch(url, { headers: { 'if-match': tag } });
    expect([tag, response.status, await response.text()]).toEqual([tag, 200, 'abc']);
  }
  for (const tag of ['"a"', `W/${etag}`, '', etag.slice(1, -1)])
    for (const method of ['GET', 'HEAD']) {
      const headers = { 'if-match': tag, 'if-none-match': etag, range: 'bytes=0-1' };
      expect([tag, (await fetch(url, { method, headers })).status]).toEqual([tag, 412]);
    }
  expect((await fetch(url, { headers: { 'if-match': etag, range: 'bytes=0-1' } })).status).toBe(206);
});
