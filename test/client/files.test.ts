import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestFile, downloadFile, uploadFile } from '../../src/client/node/files.ts';

const bytes = randomBytes(3_000_000);
const sha256 = createHash('sha256').update(bytes).digest('hex');

let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-files-'));
});
afterEach(async () => {
  server?.close();
  server?.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<{ url: string }> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server?.once('listening', resolve));
  // A server that listens on TCP has an address of this shape.
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function rangeStart(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
}

describe('a download', () => {
  test('that breaks off continues where it stopped, and asks for a new address each time', async () => {
    const starts: [string | undefined, number, string][] = [];
    const target = await serve((request, response) => {
      const start = rangeStart(request);
      starts.push([request.url, start, String(request.headers['if-range'])]);
      response.writeHead(start === 0 ? 200 : 206, { etag: '"v1"', 'content-length': bytes.length - start });
      if (starts.length === 3) response.end(bytes.subarray(start));
      else response.write(bytes.subarray(start, start + 1_000_000), () => response.destroy());
    });
    let asked = 0;
    const path = join(folder, 'model.bin');
    await downloadFile(target, async () => `/fragments/f?${++asked}`, { path, sha256 });
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(starts.map(([url]) => url)).toEqual(['/fragments/f?1', '/fragments/f?2', '/fragments/f?3']);
    expect(starts[0]).toEqual(['/fragments/f?1', 0, 'undefined']);
    expect(starts[2]?.[1]).toBeGreaterThan(1_000_000);
    expect(starts[2]?.[2]).toBe('"v1"');
    expect(await readdir(folder)).toEqual(['model.bin']);
  });

  test('continues from the part that an earlier download left, unless that is of another file', async () => {
    const target = await serve((request, response) => {
      const start = rangeStart(request);
      response.writeHead(start === 0 ? 200 : 206).end(bytes.subarray(start));
    });
    const path = join(folder, 'model.bin');
    const reported: number[] = [];
    await writeFile(`${path}.part`, bytes.subarray(0, 2_000_000));
    await downloadFile(target, '/fragments/f', { path, sha256, onProgress: (done) => reported.push(done) });
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(reported[0]).toBeGreaterThan(2_000_000);
    expect(reported.at(-1)).toBe(bytes.length);

    await writeFile(`${path}.part`, randomBytes(2_000_000));
    await downloadFile(target, '/fragments/f', { path, sha256 });
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  test('whose bytes have the wrong hash leaves no file', async () => {
    const target = await serve((_request, response) => response.end(bytes.subarray(1)));
    const path = join(folder, 'model.bin');
    await expect(downloadFile(target, '/fragments/f', { path, sha256 })).rejects.toMatchObject({ code: 'HASH_MISMATCH' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('that exceeded the rate is tried again at the time that the gateway gave', async () => {
    const at: number[] = [];
    const target = await serve((_request, response) => {
      at.push(performance.now());
      if (at.length > 1) response.end(bytes);
      else
        response.writeHead(429, { 'retry-after': '1' }).end('{"errors":[{"message":"Too fast.","extensions":{"code":"LIMIT_EXCEEDED"}}]}');
    });
    const path = join(folder, 'model.bin');
    await downloadFile(target, '/fragments/f', { path, sha256 });
    expect(await readFile(path)).toEqual(bytes);
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThanOrEqual(999);
  });

  test('that is refused is not tried again', async () => {
    let requests = 0;
    const target = await serve((_request, response) => {
      requests += 1;
      response
        .writeHead(403, { 'content-type': 'application/json' })
        .end('{"errors":[{"message":"The link has expired.","extensions":{"code":"FORBIDDEN"}}]}');
    });
    const download = downloadFile(target, '/fragments/f', { path: join(folder, 'f') });
    await expect(download).rejects.toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('The link has expired.') });
    expect(requests).toBe(1);
  });
});

describe('an upload', () => {
  test('that breaks off is sent again from its beginning', async () => {
    let attempts = 0;
    const received: Buffer[] = [];
    const target = await serve(async (request, response) => {
      attempts += 1;
      if (attempts === 1) {
        request.once('data', () => request.socket.destroy());
        return;
      }
      for await (const chunk of request) received.push(chunk);
      response.writeHead(201).end();
    });
    const path = join(folder, 'model.bin');
    await writeFile(path, bytes);
    await uploadFile(target, '/fragments/f?sig=1', path);
    expect(attempts).toBe(2);
    expect(Buffer.concat(received).equals(bytes)).toBe(true);
  });

  test('that the gateway refuses while it runs reports the reason, and is not sent again', async () => {
    let requests = 0;
    const target = await serve((_request, response) => {
      requests += 1;
      response.writeHead(413, { connection: 'close' }).end('{"errors":[{"message":"Too large.","extensions":{"code":"LIMIT_EXCEEDED"}}]}');
    });
    const path = join(folder, 'model.bin');
    await writeFile(path, bytes);
    await expect(uploadFile(target, '/fragments/f', path)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(requests).toBe(1);
  });

  test('whose answer is lost is not taken for refused if the bytes are stored', async () => {
    let requests = 0;
    const target = await serve(async (request, response) => {
      requests += 1;
      for await (const _chunk of request);
      if (requests === 1) request.socket.destroy();
      else response.writeHead(409).end('{"errors":[{"message":"Stored already.","extensions":{"code":"INVALID_STATE"}}]}');
    });
    const path = join(folder, 'model.bin');
    await writeFile(path, bytes);
    await uploadFile(target, '/fragments/f', path);
    expect(requests).toBe(2);
    await expect(uploadFile(target, '/fragments/f', path)).rejects.toMatchObject({ code: 'INVALID_STATE' });
  });

  test('of an empty file is an upload of no bytes', async () => {
    let length: string | undefined;
    const target = await serve((request, response) => {
      length = request.headers['content-length'];
      request.resume();
      response.writeHead(204).end();
    });
    const path = join(folder, 'empty');
    await writeFile(path, '');
    await uploadFile(target, '/fragments/f', path);
    expect(length).toBe('0');
  });

  test('is announced with the size and hash of its file', async () => {
    const path = join(folder, 'model.bin');
    await writeFile(path, bytes);
    expect(await digestFile(path)).toEqual({ sizeBytes: bytes.length, sha256 });
  });
});
