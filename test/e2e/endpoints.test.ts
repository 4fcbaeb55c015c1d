/**
 * Access outside the root fields: files, metrics, health and pages, and fields with rights of their
 * own (P15).
 */
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rightsToFields } from '../../src/domain/access/fields.ts';
import { endpoints } from '../../src/domain/access/operations.ts';
import type { Principal } from '../../src/domain/access/principal.ts';
import { may } from '../../src/domain/access/rights.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { admin } from '../support/seed.ts';
import { ask } from './asking.ts';
import { buildWorld, type World } from './world.ts';

let database: TestDatabase;
let gateway: Gateway;
let world: World;
beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database, flags: ['--stranger-rate', 'off'] });
  world = await buildWorld(gateway);
});
afterAll(async () => {
  await gateway.stop();
  await database.remove();
});

const ofProject = { ...admin, projectId: 'home' };
const holders = {
  viewer: { ...ofProject, role: 'VIEWER' },
  editor: { ...ofProject, role: 'EDITOR' },
  stranger: { ...ofProject, role: 'EDITOR' },
  device: { ...ofProject, kind: 'DEVICE', role: null, deviceId: 'own' },
  job: { ...ofProject, kind: 'JOB', role: null },
  lease: { ...ofProject, kind: 'JOB', role: null, stepId: 'own' },
  watch: { ...ofProject, kind: 'WATCH', role: null },
} as const satisfies Record<string, Principal>;
type Holder = keyof typeof holders;
const all = Object.keys(holders) as Holder[];

const bearer = (key: string | null): Record<string, string> => (key === null ? {} : { authorization: `Bearer ${key}` });
const statusOf = async (path: string, init: RequestInit) => (await fetch(`${gateway.url}${path}`, init)).status;

/** The status of a request that asks for another protocol. */
function statusOfUpgrade(path: string, protocol: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const websocket = protocol === 'websocket' ? { 'sec-websocket-key': 'MTIzNDU2Nzg5MDEyMzQ1Ng==', 'sec-websocket-version': '13' } : {};
    const upgrade = { connection: 'Upgrade', upgrade: protocol, ...websocket, ...headers };
    const asked = request(`${gateway.url}${path}`, { headers: upgrade, agent: false });
    asked.once('response', ({ statusCode = 0 }) => resolve(statusCode));
    asked.once('upgrade', ({ statusCode = 0 }, socket) => {
      socket.destroy();
      resolve(statusCode);
    });
    asked.once('error', reject);
    asked.end();
  });
}

test('every endpoint is open to exactly the keys in the table (P15)', async () => {
  const tries: Record<keyof typeof endpoints, (headers: Record<string, string>) => Promise<number>> = {
    'POST, GET /graphql': (headers) => statusOf('/graphql?query=%7B__schema%7BqueryType%7Bname%7D%7D%7D', { headers }),
    'WebSocket, SSE on /graphql': (headers) =>
      statusOf('/graphql?query=%7Bviewer%7Bname%7D%7D', { headers: { ...headers, accept: 'text/event-stream' } }),
    'GraphiQL and the console, their pages and files': async (headers) =>
      Math.max(
        await statusOf('/graphql', { headers: { ...headers, accept: 'text/html' } }),
        // A request with a key is a program's: it opens no page.
        headers.authorization === undefined ? await statusOf('/jobs', { headers: { accept: 'text/html' } }) : 200,
      ),
    'GET, HEAD /fragments/ID': (headers) => statusOf(`/fragments/${world.file}`, { headers, method: 'HEAD' }),
    'PUT /fragments/ID': (headers) => statusOf(`/fragments/${world.file}`, { headers, method: 'PUT', body: 'x' }),
    'GET /metrics': (headers) => statusOf('/metrics', { headers }),
    'GET /health/live, /health/ready': (headers) => statusOf('/health/live', { headers }),
    '/jobs/ID/http/…': (headers) => statusOf(`/jobs/${world.own}/http/`, { headers }),
    'WebSocket on /steps/session': () => statusOfUpgrade('/steps/session', 'websocket', {}),
    'GET /tunnel': (headers) => statusOfUpgrade('/tunnel', 'trainyard-tunnel', headers),
    'POST, DELETE /session': (headers) => statusOf('/session', { headers, method: 'POST' }),
  };
  const root = (await world.makeKey('role: VIEWER')).secret;
  for (const [endpoint, { needs, forAllProjects }] of Object.entries(endpoints)) {
    const found: Record<string, boolean> = {};
    const expected: Record<string, boolean> = {};
    // 409: the bytes are stored already, or the step has no HTTP port. Only keys that may upload or
    // open it are told.
    const isLetIn = async (key: string | null) => [101, 200, 409].includes((await tries[endpoint]?.(bearer(key))) ?? 0);
    // The stranger's key is of another project, and a device writes only what its lease created.
    // Both are tried below. A lease token has no key that a session could end with.
    for (const holder of all.filter(
      (each) =>
        (each !== 'lease' || endpoint !== 'POST, DELETE /session') &&
        (each !== 'stranger' || !endpoint.startsWith('/jobs/')) &&
        (!endpoint.includes('/fragments') || (each !== 'stranger' && (each !== 'device' || needs === 'readFragments'))),
    )) {
      found[holder] = await isLetIn(world.keys[holder]);
      expected[holder] = needs === undefined || (may(holders[holder], needs) && !forAllProjects);
    }
    found.root = await isLetIn(root);
    expected.root = needs === undefined || may({ ...admin, role: 'VIEWER' }, needs);
    found['no key'] = await isLetIn(null);
    expected['no key'] = needs === undefined;
    expect({ endpoint, ...found }).toEqual({ endpoint, ...expected });
  }
});

test('a file that a key may not see is answered like one that does not exist, whatever is done to it (P15)', async () => {
  const outcomeOf = async (id: string, method: string, key: string | null) => {
    const response = await fetch(`${gateway.url}/fragments/${id}`, {
      method,
      headers: bearer(key),
      ...(method === 'PUT' && { body: 'bytes' }),
    });
    const headers = [...response.headers].filter(([name]) => !/^(date|x-request-id|ratelimit)/.test(name));
    return { status: response.status, headers, body: (await response.text()).replaceAll(id, 'ID') };
  };
  const hidden: Record<Holder | 'no key', readonly string[]> = {
    viewer: [world.foreign.file],
    editor: [world.foreign.file],
    stranger: [world.file, world.projectFile, world.pendingFile],
    device: [world.foreign.file],
    job: [world.foreign.file, world.siblingFile],
    lease: [world.foreign.file, world.siblingFile],
    watch: [world.foreign.file, world.siblingFile, world.projectFile],
    'no key': [world.file],
  };
  for (const [holder, ids] of Object.entries(hidden)) {
    const key = holder === 'no key' ? null : world.keys[holder as Holder]; // its other keys
    for (const id of ids) {
      for (const method of ['GET', 'HEAD', 'PUT']) {
        const [there, nowhere] = [await outcomeOf(id, method, key), await outcomeOf(`${id.slice(0, -6)}zzzzzz`, method, key)];
        expect({ holder, method, ...there }).toEqual({ holder, method, ...nowhere, status: 404 });
      }
    }
  }
});

test('a device writes files that its lease created, and no others of its project (P15)', async () => {
  const announce = async (key: string, input: string) => {
    const document = `mutation { createFragment(input: {${input}, type: DATA}) { ... on CreateFragmentPayload { fragment { id } } } }`;
    const { data } = await ask(gateway, key, document);
    return (data?.createFragment as { fragment: { id: string } } | undefined)?.fragment.id ?? ''; // as asked for
  };
  const own = await announce(world.keys.device, `jobId: "${world.own}", leaseToken: "${world.leaseToken}", filename: "held"`);
  const another = await announce(world.keys.editor, `jobId: "${world.own}", filename: "another's"`);
  const put = (id: string) => statusOf(`/fragments/${id}`, { method: 'PUT', headers: bearer(world.keys.device), body: 'x' });
  expect([await put(another), await put(own)]).toEqual([404, 200]);
});

/** A path to each restricted field, from a job that has everything. */
const paths: Readonly<Record<string, (of: { job: string; project: string }) => string>> = {
  'Job.device': ({ job }) => `{ job(id: "${job}") { device { id } } }`,
  'Step.pinnedDevice': ({ job }) => `{ job(id: "${job}") { step(number: 0) { pinnedDevice { id } } } }`,
  'Attempt.device': ({ job }) => `{ job(id: "${job}") { step(number: 0) { attempts { device { id } } } } }`,
  'Fragment.device': ({ job }) => `{ job(id: "${job}") { fragments { nodes { device { id } } } } }`,
  'Project.devices': ({ project }) => `{ project(id: "${project}") { devices { nodes { id } } } }`,
  'Job.application': ({ job }) => `{ job(id: "${job}") { application { id } } }`,
  'Job.experiment': ({ job }) => `{ job(id: "${job}") { experiment { id } } }`,
  'Project.experiments': ({ project }) => `{ project(id: "${project}") { experiments { nodes { id } } } }`,
  'Project.models': ({ project }) => `{ project(id: "${project}") { models { nodes { id } } } }`,
  'Job.startModel': ({ job }) => `{ job(id: "${job}") { startModel { id } } }`,
};
test('an object that a key sees reveals no field that the key may not read (P15)', async () => {
  const { job, keys } = await makeFullJob();
  const deepest = (value: unknown): unknown => (value !== null && typeof value === 'object' ? deepest(Object.values(value)[0]) : value);
  for (const [field, document] of Object.entries(paths)) {
    const right = rightsToFields.get(field) ?? 'ask';
    for (const [holder, key] of Object.entries(keys)) {
      const { data, errors } = await ask(gateway, key, document({ job, project: world.project }));
      const found = errors ? errors[0]?.extensions.code : typeof deepest(data) === 'string' ? 'shown' : 'hidden';
      const isThere = may(holders[holder as Holder], right); // its keys
      expect({ field, holder, found }).toEqual({
        field,
        holder,
        found: isThere ? 'shown' : field.startsWith('Project.') ? 'FORBIDDEN' : 'hidden',
      });
    }
  }
});

/**
 * A job with a device, an application, an experiment and a start model, and keys of each kind for
 * it.
 */
async function makeFullJob(): Promise<{ job: string; keys: Record<string, string> }> {
  const make = async <T>(name: string, input: string, fields: string, key = gateway.adminKey): Promise<T> => {
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Payload`;
    const answer = await ask(gateway, key, `mutation { ${name}(input: {${input}}) { ... on ${type} { ${fields} } } }`);
    const payload = answer.data?.[name];
    if (!payload || Object.keys(payload).length === 0) throw new Error(`${name}: ${JSON.stringify(answer)}`);
    return payload as T; // as asked for
  };
  interface Made {
    readonly id: string;
  }
  const { project } = world;
  const start = await make<{ fragment: Made }>(
    'createFragment',
    `projectId: "${project}", filename: "start", type: MODEL, text: "m"`,
    'fragment { id }',
  );
  const { experiment } = await make<{ experiment: Made }>(
    'createExperiment',
    `projectId: "${project}", name: "e", startModelFragmentId: "${start.fragment.id}"`,
    'experiment { id }',
  );
  const { device, apiKey } = await make<{ device: Made; apiKey: string }>(
    'registerDevice',
    `projectId: "${project}", name: "full"`,
    'device { id } apiKey',
  );
  const { job, token } = await make<{ job: Made; token: string }>(
    'createJob',
    `projectId: "${project}", name: "full", applicationId: "${world.application}", experimentId: "${experiment.id}", ` +
      `steps: [{name: "s", pinnedDeviceId: "${device.id}"}]`,
    'job { id } token',
  );
  const { lease } = await make<{ lease: { token: string } }>('claimStep', `jobId: "${job.id}", stepNumber: 0`, 'lease { token }', apiKey);
  await make(
    'createFragment',
    `jobId: "${job.id}", leaseToken: "${lease.token}", filename: "f", type: DATA, text: "x"`,
    'fragment { id }',
    apiKey,
  );
  const watch = (await world.makeKey(`kind: WATCH, jobId: "${job.id}"`)).secret;
  return {
    job: job.id,
    keys: { viewer: world.keys.viewer, editor: world.keys.editor, device: apiKey, job: token, lease: lease.token, watch },
  };
}

test('the audit trail names the request, outlives its subject, and is never changed (P15)', async () => {
  const asked = async (query: string, requestId: string) => {
    const headers = { ...bearer(gateway.adminKey), 'content-type': 'application/json', 'x-request-id': requestId };
    const response = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query }) });
    const { data } = (await response.json()) as { data: Record<string, Record<string, unknown>> }; // as a GraphQL server answers
    return data;
  };
  const made = await asked(
    'mutation { createProject(input: {name: "short-lived"}) { ... on CreateProjectPayload { project { id } } } }',
    'request-1',
  );
  const { id } = (made.createProject?.project ?? {}) as { id: string }; // as asked for
  const trail = async () => {
    const log = `{ auditLog(filter: {projectId: "${id}"}) { nodes { id at actor actorKeyId action subjectType subjectId subjectName changes requestId project { id } } } }`;
    return ((await asked(log, 'request-0')).auditLog?.nodes ?? []) as Record<string, unknown>[]; // as asked for
  };
  const [created] = await trail();
  expect(created).toMatchObject({
    action: 'PROJECT_CREATED',
    subjectId: id,
    requestId: 'request-1',
    actor: 'user:operator',
    project: { id },
  });
  await asked(`mutation { deleteProject(input: {projectId: "${id}"}) { __typename } }`, 'request-2');
  const [deleted, kept] = await trail();
  expect(deleted).toMatchObject({ action: 'PROJECT_DELETED', subjectName: 'short-lived', requestId: 'request-2', project: null });
  expect(kept).toEqual({ ...created, project: null });
});
