/** Sessions of browsers, at a real gateway: a cookie in exchange for a key (P15). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

let database: TestDatabase;
let gateway: Gateway;
beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database, flags: ['--stranger-rate', 'off'] });
});
afterAll(async () => {
  await gateway.stop();
  await database.remove();
});

const send = (path: string, method: string, headers: Record<string, string>, body?: string) =>
  fetch(gateway.url + path, { method, headers, ...(body !== undefined && { body }) });

async function open(key: string, headers: Record<string, string> = {}) {
  const response = await send('/session', 'POST', { authorization: `Bearer ${key}`, origin: gateway.url, ...headers });
  const cookie = response.headers.get('set-cookie') ?? '';
  const body: { keyId?: string; kind?: string; jobId?: string | null } = await response.json();
  return { status: response.status, cookie, pair: cookie.split(';')[0] ?? '', ...body };
}

async function ask(query: string, headers: Record<string, string>) {
  const response = await send('/graphql', 'POST', { 'content-type': 'application/json', ...headers }, JSON.stringify({ query }));
  const body: { data?: Record<string, unknown>; errors?: { extensions: { code: string } }[] } = await response.json();
  return body.errors?.[0]?.extensions.code ?? body.data;
}

const asAdmin = (query: string) => ask(query, { authorization: `Bearer ${gateway.adminKey}` });
const isAnswered = { viewer: { kind: 'USER' } };

async function makeKey(): Promise<{ id: string; secret: string }> {
  const data = await asAdmin(
    'mutation { createApiKey(input: { name: "one", role: EDITOR }) { ... on CreateApiKeyPayload { secret apiKey { id } } } }',
  );
  const { secret, apiKey } = (data as { createApiKey: { secret: string; apiKey: { id: string } } }).createApiKey; // as the document selects
  return { id: apiKey.id, secret };
}

describe('A session', () => {
  test('is a cookie that scripts and other sites do not get, for twelve hours', async () => {
    const { status, cookie, keyId, kind } = await open(gateway.adminKey);
    expect([status, kind]).toEqual([200, 'USER']);
    expect(cookie).toMatch(
      new RegExp(`^trainyard_${keyId}=${keyId}\\.\\d+\\.[\\w-]{43}; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict$`),
    );
    expect(cookie).not.toContain(gateway.adminKey);
    expect((await open(gateway.adminKey, { origin: `https://${new URL(gateway.url).host}` })).cookie).toMatch(/; Secure$/);
  });

  test('is refused without a key, with a wrong one, with another method, and for a page of another site', async () => {
    expect((await send('/session', 'POST', {})).status).toBe(401);
    expect((await open('tyk_wrong')).status).toBe(401);
    expect((await send('/session', 'GET', { authorization: `Bearer ${gateway.adminKey}` })).status).toBe(405);
    const foreign = await open(gateway.adminKey, { origin: 'https://evil.example' });
    expect([foreign.status, foreign.cookie]).toEqual([403, '']);
  });

  test('signs requests in when a page of the gateway names it, and not otherwise', async () => {
    const { pair: cookie, keyId = '' } = await open(gateway.adminKey);
    const session = { cookie, 'x-trainyard-session': keyId };
    const query = '{ viewer { kind } }';
    expect(await ask(query, { ...session, origin: gateway.url })).toEqual(isAnswered);
    expect(await ask(query, { ...session, 'sec-fetch-site': 'same-origin' })).toEqual(isAnswered);
    expect(await ask(query, { cookie, origin: gateway.url })).toBe('UNAUTHENTICATED');
    expect(await ask(query, { ...session, 'x-trainyard-session': 'key_00000000000000000000000000', origin: gateway.url })).toBe(
      'UNAUTHENTICATED',
    );
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
    ])
      expect([headers, await ask(query, { ...session, ...headers })]).toEqual([
        headers,
        expect.stringMatching(/UNAUTHENTICATED|FORBIDDEN/),
      ]);
  });

  test('cannot be made up, lengthened, or used for another key', async () => {
    const other = await makeKey();
    const { pair, keyId = '' } = await open(gateway.adminKey);
    const [, end = '', signature = ''] = pair.split('=')[1]?.split('.') ?? [];
    const forged = [
      `${keyId}.${Number(end) + 1}.${signature}`,
      `${other.id}.${end}.${signature}`,
      `${keyId}.${end}.${'A'.repeat(43)}`,
      `${keyId}.${end}`,
      `${keyId}.99999999999999.${signature}`,
      '%00',
      '',
    ];
    for (const token of forged) {
      const id = token.startsWith(other.id) ? other.id : keyId;
      const headers = { cookie: `trainyard_${id}=${token}`, 'x-trainyard-session': id, origin: gateway.url };
      expect([token, await ask('{ viewer { kind } }', headers)]).toEqual([token, 'UNAUTHENTICATED']);
    }
  });

  test('ends with its key, also on an open socket', async () => {
    const { id, secret } = await makeKey();
    const { pair: cookie } = await open(secret);
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers: { cookie },
      origin: gateway.url,
    });
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(JSON.stringify({ type: 'connection_init', payload: { 'x-trainyard-session': id } }));
    expect(String(await new Promise((resolve) => socket.once('message', resolve)))).toContain('connection_ack');
    await asAdmin(`mutation { revokeApiKey(input: { apiKeyId: "${id}" }) { __typename } }`);
    expect(await closed).toBe(4401);
    expect(await ask('{ viewer { kind } }', { cookie, 'x-trainyard-session': id, origin: gateway.url })).toBe('UNAUTHENTICATED');
  });

  test('opens no socket for a page of another site', async () => {
    const { pair: cookie } = await open(gateway.adminKey);
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers: { cookie },
      origin: 'https://evil.example',
    });
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toContain('403');
  });

  test('is taken back by DELETE', async () => {
    const { keyId = '' } = await open(gateway.adminKey);
    const response = await send('/session', 'DELETE', { 'x-trainyard-session': keyId, origin: gateway.url });
    expect([response.status, response.headers.get('set-cookie')]).toEqual([204, expect.stringContaining(`trainyard_${keyId}=; Max-Age=0`)]);
    expect(
      (await send('/session', 'DELETE', { 'x-trainyard-session': 'x\u00e9; evil', origin: gateway.url })).headers.get('set-cookie'),
    ).toBeNull();
  });
});

describe('The page of the console', () => {
  test.each(['/', '/jobs', '/jobs/job_1', '/devices', '/settings/keys'])(
    'is served to a browser at %s, and loads nothing from elsewhere',
    async (path) => {
      const response = await send(path, 'GET', { accept: 'text/html' });
      const html = await response.text();
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
      expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
      expect(html).not.toMatch(/<script>|<style|style="/);
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toMatch(/unsafe|https?:/);
    },
  );

  test('has files that are compressed and kept for ever, and no others', async () => {
    const html = await (await send('/', 'GET', { accept: 'text/html' })).text();
    const files = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, file]) => file ?? '');
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const file of files) {
      const response = await send(file, 'GET', { 'accept-encoding': 'gzip' });
      expect([response.status, response.headers.get('cache-control')], file).toEqual([200, 'public, max-age=31536000, immutable']);
      const { byteLength } = await response.arrayBuffer();
      // A small file would only grow.
      if (byteLength > 1_000) expect(response.headers.get('content-encoding'), file).toBe('gzip');
    }
    for (const path of ['/assets/nothing.js', '/assets/../package.json', '/assets/%2e%2e/index.html', '/assets/'])
      expect((await send(path, 'GET', {})).status, path).toBe(404);
  });

  test('is not served to programs', async () => {
    expect((await send('/jobs', 'GET', { accept: 'application/json' })).status).toBe(404);
    expect((await send('/jobs', 'POST', { accept: 'text/html' })).status).toBe(404);
  });
});
