/**
 * The hot path and Yoga answer alike. Every request that the tests have is sent both ways, and
 * status, headers and body are compared. A POST as `application/json` takes the hot path; as
 * `application/json; charset=utf-8` it takes Yoga.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type DefinitionNode, Kind, parse, print } from 'graphql';
import { serverAudits } from 'graphql-http';
import { beforeAll, describe, expect, test } from 'vitest';
import { isHot } from '../../src/server/hot-path.ts';
import { ask } from '../e2e/asking.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { attacks } from './documents.ts';
import { requestAttacks } from './requests.ts';

const TYPES = { 'the hot path': 'application/json', Yoga: 'application/json; charset=utf-8' } as const;
type Way = keyof typeof TYPES;
const MEDIA_TYPES = ['application/json', 'application/graphql-response+json'];

/** An origin of other pages that may call. */
const LISTED = 'https://console.example.com';

/** Each way has its own gateway, so that the second is asked in the same state as the first. */
interface Side {
  readonly gateway: Gateway;
  readonly projectId: string;
}
let sides: Readonly<Record<Way, Side>>;

async function open(): Promise<Side & { stop(): Promise<void> }> {
  const database = await createSqliteDatabase();
  const gateway = await startGateway({ database, flags: ['--key-rate', 'off', '--origins', LISTED] });
  const query = 'mutation { createProject(input: { name: "Both ways" }) { ... on CreateProjectPayload { project { id } } } }';
  const { data } = await ask(gateway, gateway.adminKey, query);
  const { createProject } = data as { createProject: { project: { id: string } } }; // the document selects it
  return {
    gateway,
    projectId: createProject.project.id,
    async stop() {
      await gateway.stop();
      await database.remove();
    },
  };
}

beforeAll(async () => {
  const [hot, yoga] = await Promise.all([open(), open()]);
  sides = { 'the hot path': hot, Yoga: yoga };
  return () => Promise.all([hot.stop(), yoga.stop()]);
});

interface Told {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Headers that differ between any two requests. */
const OWN_HEADERS = ['date', 'x-request-id', 'content-length'];

/** Without ids, times and other values that differ between requests. */
function withoutChance(text: string): string {
  return (
    text
      .replaceAll(/\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\b/g, '(uuid)')
      // Few secrets have no digit, which is how ids are told from other words.
      .replaceAll(/\b(tyk|lease)_[\w-]{43}(?![\w-])/g, '$1_(id)')
      .replaceAll(/\b([a-z]+)_(?=[\w-]*\d)[\w-]{10,}/g, '$1_(id)')
      .replaceAll(/"WyJ[\w-]+"/g, '"(cursor)"')
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '(time)')
  );
}

/** Node's own client, which reports the headers as they came. */
async function send(way: Way, body: string | Uint8Array, { headers = {}, headersOf, path = '' }: Extra): Promise<Told> {
  const { gateway } = sides[way];
  const sent = request(`${gateway.url}/graphql${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${gateway.adminKey}`,
      'content-length': Buffer.byteLength(body),
      ...headers,
      ...headersOf?.(sides[way]),
      'content-type': TYPES[way],
    },
    agent: false,
  });
  sent.end(body);
  const response = await new Promise<IncomingMessage>((resolve, reject) => sent.once('response', resolve).once('error', reject));
  const told = Object.fromEntries(Object.entries(response.headers).filter(([name]) => !OWN_HEADERS.includes(name)));
  const bytes = await buffer(response);
  // Node itself answers 431, without a length.
  if (response.statusCode !== 431) expect(response.headers['content-length']).toBe(String(bytes.length));
  return { status: response.statusCode, headers: told, body: withoutChance(bytes.toString()) };
}

interface Extra {
  readonly headers?: Readonly<Record<string, string>>;
  /** For each gateway, whose origin is its own. */
  readonly headersOf?: (side: Side) => Readonly<Record<string, string>>;
  readonly path?: string;
}

/** Sends a body to each gateway. `bodyOf` builds it, since the gateways have different ids. */
async function bothWays(bodyOf: (side: Side) => string | Uint8Array, extra: Extra = {}): Promise<Told> {
  const [hot, yoga] = await Promise.all((['the hot path', 'Yoga'] as const).map((way) => send(way, bodyOf(sides[way]), extra)));
  if (!hot) throw new Error('There are two.');
  expect(yoga).toEqual({ ...hot, body: expect.any(String) });
  const end = [...hot.body].findIndex((character, i) => character !== yoga?.body[i]);
  expect(yoga?.body === hot.body, `${hot.body.slice(end - 80, end + 200)}\n\n${yoga?.body.slice(end - 80, end + 200)}`).toBe(true);
  return hot;
}

test.each([undefined, LISTED])('The two ways in are told apart by the content type alone, with the origin %s', (origin) => {
  const headers = (way: Way) => ({ 'content-type': TYPES[way], ...(origin ? { origin } : {}) });
  expect(isHot({ method: 'POST', headers: headers('the hot path') })).toBe(true);
  expect(isHot({ method: 'POST', headers: headers('Yoga') })).toBe(false);
});

describe('Both ways in give the same answer', () => {
  test.each(attacks.map((attack) => [attack.name, attack] as const))('to a document with %s', async (_, { query, variables }) => {
    for (const accept of MEDIA_TYPES) {
      const { status } = await bothWays(() => JSON.stringify({ query, variables }), { headers: { accept } });
      expect(status).toBeLessThan(500);
    }
  });

  const posts = requestAttacks.filter(({ method, headers }) => method === undefined && headers?.['content-type'] === 'application/json');
  test('to all requests of the corpus, of which there are more than 25', () => expect(posts.length).toBeGreaterThan(25));

  test.each(posts.map((attack) => [attack.name, attack] as const))(
    'to a request that is %s',
    async (_, { headers: { 'content-type': _type, ...headers } = {}, body = '', path = '', status }) => {
      for (const accept of MEDIA_TYPES) {
        const told = await bothWays(() => body, { headers: { accept, ...headers }, path });
        if (accept === 'application/graphql-response+json') expect(told.status).toBe(status);
      }
    },
  );

  test.each([
    ['no key', { authorization: '' }],
    ['a key that is none', { authorization: 'Bearer tyk_nobody-has-this-key-0123456789abcdefghijk' }],
    ['an id of its own', { 'x-request-id': 'a-request-of-mine' }],
    ['a body in a coding', { 'content-encoding': 'br' }],
    ['an unknown media type', { accept: 'image/png' }],
    ['weights', { accept: 'application/json;q=0.1, application/graphql-response+json' }],
    ['a protocol to change to', { connection: 'upgrade', upgrade: 'h2c' }],
  ])('to a request with %s', async (_, headers) => {
    await bothWays(() => '{"query":"{ viewer { kind } }"}', { headers });
    await bothWays(() => '{"query":"{ nothing }"}', { headers });
    await bothWays(() => '{"query":"{ viewer { kind } }","extensions":{"cost":true}}', { headers });
  });
});

describe('A page of a browser is answered alike both ways', () => {
  const own = ({ gateway }: Side) => ({ origin: gateway.url });
  const cors = (headers: IncomingHttpHeaders) => Object.keys(headers).filter((name) => name.startsWith('access-control-'));

  test.each([
    ['no origin', () => ({}), 200, []],
    ["the gateway's own origin", own, 200, []],
    ['a listed origin', () => ({ origin: LISTED }), 200, ['access-control-allow-origin', 'access-control-expose-headers']],
    ['another origin', () => ({ origin: 'https://elsewhere.example' }), 200, []],
    ['the origin null', () => ({ origin: 'null' }), 200, []],
  ] as const)('with %s', async (_, originOf, status, allowed) => {
    for (const query of ['{ viewer { kind } }', '{ nothing }']) {
      const told = await bothWays(() => JSON.stringify({ query }), {
        headersOf: (side) => ({ ...originOf(side), 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' }),
      });
      expect(told.status).toBe(status);
      expect(cors(told.headers).sort()).toEqual(allowed);
      expect(told.headers.vary).toBe('Origin');
      if (allowed.length > 0) expect(told.headers['access-control-allow-origin']).toBe(LISTED);
    }
  });

  test.each([
    ['cross-site', 'https://elsewhere.example', 403],
    ['same-site', 'https://elsewhere.example', 403],
    ['cross-site', undefined, 403],
    ['cross-site', LISTED, 200],
    ['same-site', LISTED, 200],
    ['none', undefined, 200],
  ] as const)('whose browser calls the request %s, with the origin %s', async (site, origin, status) => {
    const headers = { ...(origin ? { origin } : {}), 'sec-fetch-mode': 'cors', 'sec-fetch-site': site };
    const told = await bothWays(() => '{"query":"{ viewer { kind } }"}', { headers });
    expect(told.status).toBe(status);
    // Where it comes from is asked before its key.
    expect((await bothWays(() => '{"query":"{ viewer { kind } }"}', { headers: { ...headers, authorization: '' } })).status).toBe(
      status === 200 ? 401 : 403,
    );
  });
});

describe('The audits of GraphQL over HTTP', () => {
  function auditsBy(way: Way) {
    const told: unknown[] = [];
    const fetchFn = async (url: string, init: RequestInit = {}) => {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${sides[way].gateway.adminKey}`);
      if (headers.get('content-type') === 'application/json') headers.set('content-type', TYPES[way]);
      const response = await fetch(url, { ...init, headers });
      const { status } = response;
      told.push([status, response.headers.get('content-type'), withoutChance(await response.clone().text())]);
      return response;
    };
    return { told, audits: serverAudits({ url: () => `${sides[way].gateway.url}/graphql`, fetchFn }) };
  }
  const [hot, yoga] = [auditsBy('the hot path'), auditsBy('Yoga')];

  test.each(hot.audits.map(({ id, name }, i) => [id, name, i] as const))('%s passes both ways: %s', async (_id, _name, i) => {
    for (const { audits, told } of [hot, yoga]) {
      told.length = 0;
      const result = await audits[i]?.fn();
      expect(result, result && 'reason' in result ? result.reason : '').toMatchObject({ status: 'ok' });
    }
    expect(yoga.told).toEqual(hot.told);
  });
});

const operationsOfSystems = new URL('../systems/operations/', import.meta.url);
const files = readdirSync(operationsOfSystems).map((name) => ({ name, text: readFileSync(new URL(name, operationsOfSystems), 'utf8') }));
const fragments = files.flatMap(({ text }) => parse(text).definitions).filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);

/** The operation with the fragments that it spreads. */
function documentOf(operation: DefinitionNode): string {
  const needed = new Map<string, string>();
  const add = (text: string): void => {
    for (const fragment of fragments) {
      const name = fragment.name.value;
      if (needed.has(name) || !new RegExp(`\\.\\.\\.${name}\\b`).test(text)) continue;
      needed.set(name, print(fragment));
      add(print(fragment));
    }
  };
  const text = print(operation);
  add(text);
  return [text, ...needed.values()].join('\n');
}

/** The variables in its comment. */
function variablesOf(operation: DefinitionNode, text: string, { projectId }: Side): unknown {
  const before = text.slice(0, operation.loc?.start).trimEnd().split('\n').at(-1) ?? '';
  const shown = /^# (\{.*\})$/.exec(before)?.[1];
  return shown === undefined
    ? undefined
    : JSON.parse(shown.replaceAll('proj_…', projectId).replaceAll(/"waitSeconds": \d+/g, '"waitSeconds": 0'));
}

describe.each(files)('The operations of $name', ({ text }) => {
  const operations = parse(text).definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  test.runIf(operations.length > 0)('are answered alike by the hot path and by Yoga', async () => {
    for (const operation of operations) {
      const query = documentOf(operation);
      const { status } = await bothWays((side) => JSON.stringify({ query, variables: variablesOf(operation, text, side) }), {
        headers: { accept: 'application/graphql-response+json' },
      });
      if (operation.operation === 'subscription') expect([operation.name?.value, status]).toEqual([operation.name?.value, 406]);
    }
  });
});
