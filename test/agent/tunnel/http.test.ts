/** The HTTP port of a running step, through the gateway and the tunnel of its agent. */
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openStation, type Station } from '../station.ts';
import { fetchStep, freePort, httpStep, nodeStep, openLink, pathOf, whenServing } from './servers.ts';

let station: Station;
beforeAll(async () => {
  station = await openStation();
  station.startAgent({ slots: 40 });
});
afterAll(() => station?.close());

/** Starts a step with this handler, and waits until it serves. */
async function serve(handler: string, more = ''): Promise<string> {
  const jobId = await station.createJob([httpStep(await freePort(), handler, more)]);
  await whenServing(station, jobId);
  return jobId;
}

const echo = '(request, response) => response.end(JSON.stringify({ url: request.url, headers: request.headers }))';
interface Seen {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}
const codeOf = async (response: Response) => {
  const { errors } = (await response.json()) as { errors: { extensions: { code: string; why?: string; status?: string } }[] };
  return { http: response.status, ...errors[0]?.extensions };
};

describe('The HTTP port of a running step', () => {
  test('gets the target as it is, and none of the client’s credentials', async () => {
    const jobId = await serve(echo);
    const headers = {
      cookie: 'trainyard_key_1=secret; other=secret; trainyard-step-own=mine',
      'x-trainyard-session': 'secret',
      referer: `${station.gateway.url}/secret`,
      'x-forwarded-for': '192.0.2.1',
      'x-app': 'kept',
    };
    const { url, headers: seen } = (await (await fetchStep(station, jobId, '/a//b/?c=%20d', { headers })).json()) as Seen;
    expect(url).toBe('/a//b/?c=%20d');
    expect(JSON.stringify(seen)).not.toMatch(/secret|tyk_/);
    expect(seen).toMatchObject({
      cookie: 'own=mine',
      'x-app': 'kept',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': new URL(station.gateway.url).host,
      'x-forwarded-prefix': pathOf(jobId, ''),
    });
    expect(seen.host).toMatch(/^localhost:\d+$/);
  });

  test('is told to the job’s readers as a path of the gateway', async () => {
    const jobId = await serve(echo);
    const { job } = await station.ask<{ job: { httpUrl: string } }>('query ($id: ID!) { job(id: $id) { httpUrl } }', { id: jobId });
    expect(job.httpUrl).toBe(pathOf(jobId));
  });

  test('takes and gives large bodies unchanged, however slowly either side reads', async () => {
    // It hashes what it gets, 64 KB at a time with a pause between, and sends it back.
    const jobId = await serve(`async (request, response) => {
      if (request.method === "GET") return response.end("ready");
      const parts = [];
      for await (const part of request) { parts.push(part); await new Promise((resolve) => setImmediate(resolve)); }
      response.setHeader("x-hash", require("node:crypto").createHash("sha256").update(Buffer.concat(parts)).digest("hex"));
      response.end(Buffer.concat(parts));
    }`);
    const body = randomBytes(20_000_000);
    const hash = createHash('sha256').update(body).digest('hex');
    const response = await fetchStep(station, jobId, '/', { method: 'POST', body });
    expect(response.headers.get('x-hash')).toBe(hash);
    const back = createHash('sha256');
    for await (const part of response.body ?? []) back.update(part as Uint8Array);
    expect(back.digest('hex')).toBe(hash);
  });

  test('is not sent more than its client has read, and others go on meanwhile', async () => {
    const jobId = await serve(`(request, response) => {
      if (request.url !== "/endless") return response.end(String(globalThis.sent ?? 0));
      globalThis.sent = 0;
      const more = () => { do globalThis.sent += 65536; while (response.write(Buffer.alloc(65536))); };
      response.on("drain", more);
      more();
    }`);
    const reader = (await fetchStep(station, jobId, '/endless')).body?.getReader();
    await reader?.read();
    const sent = async () => Number(await (await fetchStep(station, jobId, '/sent')).text());
    // It has stopped when two questions in a row have the same answer.
    let before = -1;
    await expect
      .poll(
        async () => {
          const now = await sent();
          const isSame = now === before && now > 0;
          before = now;
          return isSame;
        },
        { timeout: 30_000, interval: 300 },
      )
      .toBe(true);
    // The buffers of four sockets and one stream, on a path that has moved gigabytes by now if
    // nothing held it.
    expect(before).toBeLessThan(40_000_000);
    await reader?.cancel();
  });

  test('connects WebSockets, by key and by link', async () => {
    const accept = `require("node:crypto").createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64")`;
    const jobId = await serve(
      echo,
      `server.on("upgrade", (request, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Accept: " + ${accept} + "\\r\\n\\r\\n");
        socket.on("data", (data) => {
          const length = data[1] & 127, mask = data.subarray(2, 6), text = data.subarray(6, 6 + length).map((byte, i) => byte ^ mask[i % 4]);
          if ((data[0] & 15) === 8) return socket.end(Buffer.from([0x88, 0]));
          socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
        });
      })`,
    );
    const link = await openLink(station, jobId);
    const base = station.gateway.url.replace('http', 'ws');
    const withKey = { headers: { authorization: `Bearer ${station.gateway.adminKey}` } };
    const ways = [() => new WebSocket(base + pathOf(jobId, '/ws'), withKey), () => new WebSocket(`${base}${link}ws`, { origin: 'null' })];
    for (const open of ways) {
      const socket = open();
      const echoed = new Promise((resolve, reject) => {
        socket.once('open', () => socket.send('hello'));
        socket.once('message', (data) => resolve(String(data)));
        socket.once('error', reject);
      });
      expect(await echoed).toBe('hello');
      socket.close();
    }
  });

  test('has a link for browsers, whose pages have no origin and are no part of the gateway’s', async () => {
    const jobId = await serve('(request, response) => response.end(request.url)');
    const link = station.gateway.url + (await openLink(station, jobId));
    const page = await fetch(`${link}page?a=1`, { headers: { accept: 'text/html' } });
    expect(await page.text()).toBe('/page?a=1');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^sandbox .*allow-scripts/);
    expect(policy).not.toContain('allow-same-origin');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    const asked = await fetch(`${link}data`, { headers: { origin: 'null' } });
    expect(asked.headers.get('access-control-allow-origin')).toBe('null');
    const foreign = await fetch(`${link}data`, { headers: { origin: 'https://elsewhere.example' } });
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
    const preflight = { origin: 'null', 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-a' };
    expect((await fetch(`${link}data`, { method: 'OPTIONS', headers: preflight })).status).toBe(204);
    const worker = await fetch(`${link}sw.js`, { headers: { 'service-worker': 'script' } });
    expect(worker.status).toBe(403);
    const part = { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'script' };
    expect((await fetch(`${link}x.js`, { headers: part })).status).toBe(403);
  });

  test('sends a browser without a key, or with a link that has ended, to the console', async () => {
    const jobId = await serve(echo);
    const html = { accept: 'text/html' };
    const console = await fetch(station.gateway.url + pathOf(jobId), { headers: html, redirect: 'manual' });
    expect([console.status, console.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const link = (await openLink(station, jobId)).replace(/\.(.)/, (_, first) => (first === 'A' ? '.B' : '.A'));
    const ended = await fetch(station.gateway.url + link, { headers: html, redirect: 'manual' });
    expect([ended.status, ended.headers.get('location')]).toEqual([302, pathOf(jobId, '')]);
    expect(await codeOf(await fetch(station.gateway.url + link))).toMatchObject({ http: 401 });
  });

  test('sends paths of its own behind its prefix, and limits its cookies to it', async () => {
    const jobId = await serve(`(request, response) => {
      if (request.url === "/") return response.end();
      response.setHeader("set-cookie", ["a=1; Path=/; Domain=example.com; HttpOnly", "trainyard_key_x=evil; Path=/", "bad name=1"]);
      for (const name of ["Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc", "Service-Worker-Allowed", "WWW-Authenticate", "Access-Control-Allow-Origin"]) response.setHeader(name, "*");
      const to = { "/root": "/x?y", "/self": "http://localhost:" + request.headers.host.split(":")[1] + "/z", "/away": "https://elsewhere.example/", "/net": "//elsewhere.example/" };
      response.writeHead(302, { location: to[request.url] }).end();
    }`);
    const prefix = pathOf(jobId, '');
    const locations = await Promise.all(
      ['/root', '/self', '/away', '/net'].map(async (path) => (await fetchStep(station, jobId, path)).headers.get('location')),
    );
    expect(locations).toEqual([`${prefix}/x?y`, `${prefix}/z`, 'https://elsewhere.example/', '//elsewhere.example/']);
    const { headers } = await fetchStep(station, jobId, '/root');
    expect(headers.getSetCookie()).toEqual([
      `trainyard-step-a=1; HttpOnly; Path=${prefix}/`,
      `trainyard-step-trainyard_key_x=evil; Path=${prefix}/`,
    ]);
    expect([...headers.keys()].filter((name) => /clear|strict|alt-svc|service|authenticate|access-control/.test(name))).toEqual([]);
  });

  test.each([
    ['garbage', 'socket.end("\\u0000\\u0001 garbage\\r\\n\\r\\n")'],
    [
      'endless headers',
      'const more = () => { while (socket.write("x-a: " + "b".repeat(1000) + "\\r\\n")); }; socket.write("HTTP/1.1 200 OK\\r\\n"); socket.on("drain", more); more()',
    ],
    [
      'a switch of protocols that nobody asked for',
      'socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: x\\r\\n\\r\\n")',
    ],
    ['nothing, and closes', 'socket.end()'],
  ])('that answers with %s is reported as no HTTP server', async (_what, act) => {
    const port = await freePort();
    const program = `require("node:net").createServer((socket) => { socket.on("error", () => {}); ${act}; }).listen(${port}, "127.0.0.1", () => console.log("up"))`;
    const jobId = await station.createJob([{ command: nodeStep(program), http: { port } }]);
    await station.waitForJob(jobId, (job) => expect(JSON.stringify(job.steps[0]?.log)).toContain('up'));
    expect(await codeOf(await fetchStep(station, jobId))).toMatchObject({ http: 502, code: 'UNAVAILABLE', why: 'REFUSED' });
    await station.cancelJob(jobId);
  });

  test('is refused with a typed error if there is none, nothing listens, or the job has ended', async () => {
    const plain = await station.createJob([nodeStep('setInterval(() => {}, 1000)')]);
    await station.waitForJob(plain, ({ status }) => expect(status).toBe('RUNNING'));
    expect(await codeOf(await fetchStep(station, plain))).toEqual({ http: 409, code: 'INVALID_STATE', status: 'RUNNING' });
    const deaf = await station.createJob([{ command: nodeStep('setInterval(() => {}, 1000)'), http: { port: station.gateway.port } }]);
    await station.waitForJob(deaf, ({ status }) => expect(status).toBe('RUNNING'));
    // The port is the gateway's own, which is on the same machine.
    expect(await codeOf(await fetchStep(station, deaf))).toMatchObject({ http: 502, why: 'REFUSED' });
    await station.cancelJob(plain);
    await station.cancelJob(deaf);
    await station.waitForJob(plain, ({ status }) => expect(status).toBe('CANCELLED'));
    expect(await codeOf(await fetchStep(station, plain))).toEqual({ http: 409, code: 'INVALID_STATE', status: 'CANCELLED' });
    expect(await codeOf(await fetchStep(station, 'job_00000000000000000000000000'))).toMatchObject({ http: 404, code: 'NOT_FOUND' });
  });

  test('is for keys that see the job, a watch link included, and until they end', async () => {
    const jobId = await serve('(request, response) => { response.write("first"); if (request.url === "/") response.end(); }');
    const { id, secret } = await station.makeKey(`kind: WATCH, jobId: "${jobId}"`);
    const other = await station.makeProject();
    const foreign = await station.makeKey(`role: EDITOR, projectId: "${other}"`);
    expect((await codeOf(await fetchStep(station, jobId, '/', { key: foreign.secret }))).http).toBe(404);
    expect((await codeOf(await fetchStep(station, jobId, '/', { key: 'tyk_wrong' }))).http).toBe(401);
    const link = station.gateway.url + (await openLink(station, jobId, secret));
    expect(await (await fetchStep(station, jobId, '/', { key: secret })).text()).toBe('first');
    const open = await fetch(`${link}open`);
    const reader = open.body?.getReader();
    await reader?.read();
    await station.ask(`mutation { revokeApiKey(input: { apiKeyId: "${id}" }) { __typename } }`);
    await expect(reader?.read()).rejects.toThrow();
    expect((await fetch(link)).status).toBe(401);
  });

  test('is gone with its step, also for a request that is open', async () => {
    const jobId = await serve('(request, response) => { response.write("first"); if (request.url === "/") response.end(); }');
    const link = station.gateway.url + (await openLink(station, jobId));
    const reader = (await fetch(`${link}open`)).body?.getReader();
    await reader?.read();
    await station.cancelJob(jobId);
    await expect(reader?.read()).rejects.toThrow();
    await station.waitForJob(jobId, ({ status }) => expect(status).toBe('CANCELLED'));
    expect((await fetch(link)).status).toBe(401);
  });
});

/** Asks for a tunnel. Resolves with the status, and with when its connection has ended. */
function openTunnel(key: string): Promise<{ readonly status: number; readonly ended: Promise<void> }> {
  return new Promise((resolve, reject) => {
    const headers = { connection: 'Upgrade', upgrade: 'trainyard-tunnel', authorization: `Bearer ${key}` };
    const asked = request(`${station.gateway.url}/tunnel`, { headers, agent: false });
    asked.once('response', ({ statusCode = 0 }) => resolve({ status: statusCode, ended: Promise.resolve() }));
    asked.once('upgrade', ({ statusCode = 0 }, socket) => {
      socket.on('error', () => {}).resume();
      resolve({ status: statusCode, ended: new Promise((done) => socket.once('close', () => done())) });
    });
    asked.once('error', reject);
    asked.end();
  });
}

describe('A tunnel', () => {
  test('is opened with the key of a device alone, gives way to a newer one of it, and ends with the key', async () => {
    expect((await openTunnel('tyk_wrong')).status).toBe(401);
    expect((await openTunnel(station.gateway.adminKey)).status).toBe(403);
    const { registerDevice } = await station.ask<{ registerDevice: { apiKey: string; device: { id: string } } }>(
      'mutation { registerDevice(input: { name: "d" }) { ... on RegisterDevicePayload { apiKey device { id } } } }',
    );
    const first = await openTunnel(registerDevice.apiKey);
    const second = await openTunnel(registerDevice.apiKey);
    expect([first.status, second.status]).toEqual([101, 101]);
    await first.ended;
    const { apiKeys } = await station.ask<{ apiKeys: { nodes: { id: string; device: { id: string } | null }[] } }>(
      '{ apiKeys(first: 100) { nodes { id device { id } } } }',
    );
    const key = apiKeys.nodes.find(({ device }) => device?.id === registerDevice.device.id);
    await station.ask(`mutation { revokeApiKey(input: { apiKeyId: "${key?.id}" }) { __typename } }`);
    await second.ended;
    expect((await openTunnel(registerDevice.apiKey)).status).toBe(401);
  });

  test('does not hold up a gateway that stops, and is opened again when it is back', async () => {
    const jobId = await serve('(request, response) => { response.write("first"); if (request.url === "/") response.end(); }');
    const reader = (await fetchStep(station, jobId, '/open')).body?.getReader();
    await reader?.read();
    const cut = expect(reader?.read()).rejects.toThrow();
    expect(await station.gateway.kill('SIGTERM')).toMatchObject({ code: 0 });
    await cut;
    await station.gateway.restart();
    await whenServing(station, jobId);
  });
});
