import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Documents } from '../../src/server/documents/documents.ts';
import { TABS } from '../../src/server/graphiql/tabs.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { type SampleServer, startSample } from './sample-server.ts';

let server: SampleServer;
beforeAll(async () => {
  server = await startSample();
});
afterAll(() => server.close(0));

const openPage = async () => {
  const response = await fetch(`${server.url}/graphql`, { headers: { accept: 'text/html' } });
  return { response, html: await response.text() };
};

test('the page needs no key, comes from the gateway alone, and may load nothing from elsewhere', async () => {
  const { response, html } = await openPage();
  expect(response.status).toBe(200);
  expect(html).not.toMatch(/(src|href)="https?:/);
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/script-src[^;]*(unsafe|blob|https?:)/);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('referrer-policy')).toBe('no-referrer');
});

test('the files of the page are served compressed, and may be cached forever', async () => {
  const { html } = await openPage();
  const files = [...html.matchAll(/(?:src|href)="(\/graphql\/[^"]+)"/g)].map(([, file]) => file);
  const workers = ['editor', 'json', 'graphql'].map((name) => `/graphql/${name}.worker.js`);
  expect(files).toHaveLength(2);
  const version = /\?v=.+/.exec(files[0] ?? '')?.[0];
  for (const file of [...files, ...[...workers, '/graphql/graphiql.js'].map((name) => name + version)]) {
    const response = await fetch(server.url + file);
    expect([response.status, response.headers.get('content-encoding')], file).toEqual([200, 'gzip']);
    expect(response.headers.get('cache-control')).toContain('immutable');
    await response.arrayBuffer();
  }
  expect((await fetch(`${server.url}/graphql/../package.json`)).status).toBe(404);
  expect((await fetch(`${server.url}/graphql/nothing.js`)).status).toBe(404);
});

test('a file of the page without the version in its URL is revalidated each time', async () => {
  const response = await fetch(`${server.url}/graphql/page.js`);
  const etag = response.headers.get('etag') ?? '';
  expect([response.headers.get('cache-control'), (await response.text()).length > 0]).toEqual(['public, no-cache', true]);
  const again = await fetch(`${server.url}/graphql/page.js`, { headers: { 'if-none-match': etag } });
  expect([again.status, await again.text()]).toEqual([304, '']);
  expect((await fetch(`${server.url}/graphql/page.js`, { headers: { 'if-none-match': 'W/"another"' } })).status).toBe(200);
});

test('a client that asks for data at the same URL gets data, not the page', async () => {
  const response = await fetch(`${server.url}/graphql?query={hello}`, { headers: { authorization: 'Bearer tyk_alice' } });
  expect(await response.json()).toEqual({ data: { hello: 'world' } });
});

test('every tab is valid against the public schema and within the limits', () => {
  const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));
  expect(TABS).toHaveLength(4);
  for (const { query } of TABS) {
    const document = parse(query);
    expect(validate(schema, document)).toEqual([]);
    const names = document.definitions.flatMap((definition) => ('name' in definition && definition.name ? [definition.name.value] : []));
    for (const name of names) expect(new Documents(schema, DEFAULT_LIMITS).find(query, name)).toHaveProperty('node');
  }
});
