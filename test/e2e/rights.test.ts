/**
 * Every kind of key against everything that can be requested, at a real gateway: what it sees,
 * counts, changes and learns (P15).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type Asked, ask, firstFrame, openSocket } from './asking.ts';
import { buildWorld, type World } from './world.ts';

let database: TestDatabase;
let gateway: Gateway;
beforeAll(async () => {
  database = await createSqliteDatabase();
  // The test sends hundreds of requests without a key in a second.
  gateway = await startGateway({ database, flags: ['--stranger-rate', 'off'] });
});
afterAll(async () => {
  await gateway.stop();
  await database.remove();
});

/**
 * All but `stranger` (an editor of the foreign project) belong to the home project; `job`, `lease`
 * and `watch` are for its job `own`.
 */
const holders = ['viewer', 'editor', 'stranger', 'device', 'job', 'lease', 'watch'] as const;
type Holder = (typeof holders)[number];

/**
 * A document and the outcome for each holder: shown, hidden (null), done, a number that it counts,
 * or a code. In the order of `holders`.
 */
type Row = readonly [document: (world: World) => string, outcomes: string];

const all = 'shown shown shown shown shown shown shown';
const home = 'shown shown hidden shown shown shown shown';
const homeButNotOfJobs = 'shown shown hidden shown hidden hidden hidden';
const foreign = 'hidden hidden shown hidden hidden hidden hidden';

const reads: Record<string, Row> = {
  'who is asking': [() => '{ viewer { name } }', all],
  'the limits': [() => '{ gateway { version } }', all],
  'its own project': [({ project }) => `{ project(id: "${project}") { id } }`, home],
  'another project': [({ foreign }) => `{ project(id: "${foreign.project}") { id } }`, foreign],
  'all projects': [() => '{ projects { totalCount } }', '1 1 1 1 1 1 1'],
  'its own job': [({ own }) => `{ job(id: "${own}") { id } }`, home],
  'its own job, as a node': [({ own }) => `{ node(id: "${own}") { id } }`, home],
  'another job of the project': [({ sibling }) => `{ job(id: "${sibling}") { id } }`, homeButNotOfJobs],
  'a job of another project': [({ foreign }) => `{ job(id: "${foreign.job}") { id } }`, foreign],
  'a job of another project, as a node': [({ foreign }) => `{ nodes(ids: ["${foreign.job}"]) { id } }`, foreign],
  'all jobs': [() => '{ jobs { totalCount } }', '2 2 2 2 1 1 1'],
  'the jobs of another project': [
    ({ foreign }) => `{ jobs(filter: {projectId: "${foreign.project}"}) { totalCount nodes { id } } }`,
    '0 0 2 0 0 0 0',
  ],
  'the jobs of its project, by way of the project': [
    ({ project }) => `{ project(id: "${project}") { jobs { totalCount nodes { id } } } }`,
    '2 2 hidden 2 1 1 1',
  ],
  'jobs by what another one is called': [() => '{ jobs(filter: {name: "foreign"}) { totalCount } }', '0 0 1 0 0 0 0'],
  'a step of its own job': [({ step }) => `{ step(id: "${step}") { id } }`, home],
  'a step of another project': [({ foreign }) => `{ step(id: "${foreign.step}") { id } }`, foreign],
  'what can be claimed': [() => '{ claimableSteps { totalCount nodes { id } } }', '1 1 1 1 0 0 0'],
  'what can be claimed in another project': [
    ({ foreign }) => `{ claimableSteps(filter: {projectId: "${foreign.project}"}) { totalCount nodes { id } } }`,
    '0 0 1 0 0 0 0',
  ],
  'what a device of another project can claim': [
    ({ foreign }) => `{ claimableSteps(filter: {deviceId: "${foreign.device}"}) { totalCount } }`,
    '0 0 1 0 0 0 0',
  ],
  'a device': [({ device }) => `{ device(id: "${device}") { id } }`, homeButNotOfJobs],
  'a device of another project': [({ foreign }) => `{ device(id: "${foreign.device}") { id } }`, foreign],
  'all devices': [() => '{ devices { totalCount } }', '1 1 2 1 FORBIDDEN FORBIDDEN FORBIDDEN'],
  'the devices of another project': [
    ({ foreign }) => `{ devices(filter: {projectId: "${foreign.project}"}) { totalCount } }`,
    '0 0 2 0 FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'the device of its job': [({ own }) => `{ job(id: "${own}") { device { id } } }`, homeButNotOfJobs],
  'the devices that do not fit a step': [
    ({ sibling }) => `{ job(id: "${sibling}") { step(number: 0) { whyNot { device { id } } } } }`,
    homeButNotOfJobs,
  ],
  'an experiment': [({ experiment }) => `{ experiment(id: "${experiment}") { id } }`, homeButNotOfJobs],
  'an experiment of another project': [({ foreign }) => `{ experiment(id: "${foreign.experiment}") { id } }`, foreign],
  'a file of its own job': [({ file }) => `{ fragment(id: "${file}") { id downloadUrl } }`, home],
  'a file of another job': [({ siblingFile }) => `{ fragment(id: "${siblingFile}") { id } }`, homeButNotOfJobs],
  'a file of its project': [
    ({ projectFile }) => `{ fragment(id: "${projectFile}") { id } }`,
    'shown shown hidden shown shown shown hidden',
  ],
  'a file of its project, as a node': [
    ({ projectFile }) => `{ node(id: "${projectFile}") { id } }`,
    'shown shown hidden shown shown shown hidden',
  ],
  'a file of another project': [({ foreign }) => `{ fragment(id: "${foreign.file}") { id } }`, foreign],
  'what happened in another project': [
    ({ foreign }) => `{ events(filter: {projectId: "${foreign.project}"}) { events { cursor } } }`,
    'none none shown none none none none',
  ],
  'what happened to another job': [
    ({ sibling }) => `{ events(filter: {jobId: "${sibling}"}) { events { cursor } } }`,
    'shown shown none shown none none none',
  ],
  'what happened to a job of another project': [
    ({ foreign }) => `{ events(filter: {jobId: "${foreign.job}"}) { events { cursor } } }`,
    'none none shown none none none none',
  ],
  'all keys': [() => '{ apiKeys { totalCount } }', 'FORBIDDEN 1 0 FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN'],
  'a key of another': [({ adminKeyId }) => `{ node(id: "${adminKeyId}") { id } }`, 'hidden hidden hidden hidden hidden hidden hidden'],
  'all applications': [() => '{ applications(first: 1) { nodes { id } } }', 'shown shown shown shown shown shown FORBIDDEN'],
};

const watched = 'shown shown BAD_REQUEST shown shown shown shown';
const watchedSibling = 'shown shown BAD_REQUEST shown BAD_REQUEST BAD_REQUEST BAD_REQUEST';
const watchedForeign = 'BAD_REQUEST BAD_REQUEST shown BAD_REQUEST BAD_REQUEST BAD_REQUEST BAD_REQUEST';
const subscriptions: Record<string, Row> = Object.fromEntries([
  ...['jobUpdated { id }', 'jobStatus { cursor }', 'log { cursor }', 'metrics { cursor }', 'telemetry { cursor }'].flatMap((text) => {
    const [name = '', ...fields] = text.split(' ');
    const of = (jobId: string) => `subscription { ${name}(jobId: "${jobId}") ${fields.join(' ')} }`;
    return [
      [`${name} of its own job`, [({ own }: World) => of(own), watched]],
      [`${name} of another job`, [({ sibling }: World) => of(sibling), watchedSibling]],
      [`${name} of a job of another project`, [({ foreign }: World) => of(foreign.job), watchedForeign]],
    ] as [string, Row][];
  }),
  [
    'events of another project',
    [
      ({ foreign }: World) => `subscription { events(filter: {projectId: "${foreign.project}"}) { cursor events { cursor } } }`,
      watchedForeign,
    ],
  ],
  [
    'events of a job of another project',
    [({ foreign }: World) => `subscription { events(filter: {jobId: "${foreign.job}"}) { cursor } }`, watchedForeign],
  ],
  [
    'the steps that a device could claim',
    [
      ({ device }: World) => `subscription { claimableSteps(deviceId: "${device}") }`,
      'shown shown BAD_REQUEST shown FORBIDDEN FORBIDDEN FORBIDDEN',
    ],
  ],
  [
    'the steps that a device of another project could claim',
    [
      ({ foreign }: World) => `subscription { claimableSteps(deviceId: "${foreign.device}") }`,
      'BAD_REQUEST BAD_REQUEST shown BAD_REQUEST FORBIDDEN FORBIDDEN FORBIDDEN',
    ],
  ],
] as [string, Row][]);

const mutate = (name: string, input: string) => `mutation { ${name}(input: {${input}}) { __typename ... on Error { code } } }`;
const editorsAlone = 'FORBIDDEN done NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN';
const strangersAlone = 'FORBIDDEN NOT_FOUND done FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN';
const nobody = 'FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN';
const noAdmin = nobody;

/** In this order: objects that exist at the start are deleted at the end. */
const changes: Record<string, Row> = {
  'make a project': [() => mutate('createProject', 'name: "p"'), nobody],
  'change its project': [({ project }) => mutate('updateProject', `projectId: "${project}", name: "q"`), editorsAlone],
  'change another project': [({ foreign }) => mutate('updateProject', `projectId: "${foreign.project}", name: "q"`), strangersAlone],
  'delete its project': [({ project }) => mutate('deleteProject', `projectId: "${project}"`), nobody],
  'make an application': [() => mutate('createApplication', 'name: "a"'), nobody],
  'make an experiment in another project': [
    ({ foreign }) => mutate('createExperiment', `projectId: "${foreign.project}", name: "e"`),
    strangersAlone,
  ],
  'make a model': [({ project }) => mutate('createModel', `projectId: "${project}", name: "m"`), editorsAlone],
  'make a model in another project': [({ foreign }) => mutate('createModel', `projectId: "${foreign.project}", name: "m"`), strangersAlone],
  'make a job': [({ project }) => mutate('createJob', `projectId: "${project}", name: "j"`), editorsAlone],
  'make a job in another project': [({ foreign }) => mutate('createJob', `projectId: "${foreign.project}", name: "j"`), strangersAlone],
  'make a job that waits for a device of another project': [
    ({ project, foreign }) =>
      mutate('createJob', `projectId: "${project}", name: "j", steps: [{name: "s", pinnedDeviceId: "${foreign.device}"}]`),
    'FORBIDDEN INVALID_INPUT NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'make a job in an experiment of another project': [
    ({ project, foreign }) => mutate('createJob', `projectId: "${project}", name: "j", experimentId: "${foreign.experiment}"`),
    'FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'trigger a job in another project': [({ foreign }) => mutate('triggerJob', `projectId: "${foreign.project}"`), strangersAlone],
  'run a job of another project again': [
    ({ foreign }) => mutate('retryJob', `jobId: "${foreign.job}"`),
    'FORBIDDEN NOT_FOUND INVALID_STATE FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'change its own job': [
    ({ own }) => mutate('updateJob', `jobId: "${own}", statusMessage: "m"`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN done done FORBIDDEN',
  ],
  'make its own job one of another type': [
    ({ own }) => mutate('updateJob', `jobId: "${own}", type: VALIDATION`),
    'FORBIDDEN INVALID_STATE NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'put its own job first': [({ own }) => mutate('updateJob', `jobId: "${own}", priority: 9`), editorsAlone],
  'change another job': [
    ({ sibling }) => mutate('updateJob', `jobId: "${sibling}", statusMessage: "m"`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'change a job of another project': [
    ({ foreign }) => mutate('updateJob', `jobId: "${foreign.job}", statusMessage: "m"`),
    'FORBIDDEN NOT_FOUND done FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'add steps to its own job': [
    ({ own }) => mutate('addSteps', `jobId: "${own}", steps: [{name: "s"}]`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN done done FORBIDDEN',
  ],
  'add steps to another job': [
    ({ sibling }) => mutate('addSteps', `jobId: "${sibling}", steps: [{name: "s"}]`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'write the output of its own job': [
    ({ own }) => mutate('setJobOutput', `jobId: "${own}", output: {a: 1}`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN done done FORBIDDEN',
  ],
  'write the output of its own job under its lease': [
    ({ own, leaseToken }) => mutate('setJobOutput', `jobId: "${own}", output: {a: 2}, leaseToken: "${leaseToken}"`),
    'FORBIDDEN done NOT_FOUND done done done FORBIDDEN',
  ],
  'write the output of another job': [
    ({ sibling }) => mutate('setJobOutput', `jobId: "${sibling}", output: {a: 1}`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'make a file of its own job': [
    ({ own }) => mutate('createFragment', `jobId: "${own}", filename: "new", type: DATA, text: "t"`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN done done FORBIDDEN',
  ],
  'make a file of its own job under its lease': [
    ({ own, leaseToken }) =>
      mutate('createFragment', `jobId: "${own}", leaseToken: "${leaseToken}", filename: "held", type: DATA, text: "t"`),
    'FORBIDDEN done INVALID_INPUT done done done FORBIDDEN',
  ],
  'make a file of another job': [
    ({ sibling }) => mutate('createFragment', `jobId: "${sibling}", filename: "new", type: DATA, text: "t"`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'make a file of its project': [
    ({ project }) => mutate('createFragment', `projectId: "${project}", filename: "new", type: DATA, text: "t"`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'delete a file of another job': [
    ({ siblingFile }) => mutate('deleteFragment', `fragmentId: "${siblingFile}"`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'delete a file of its project': [
    ({ projectFile }) => mutate('deleteFragment', `fragmentId: "${projectFile}"`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'delete a file of another project': [
    ({ foreign }) => mutate('deleteFragment', `fragmentId: "${foreign.file}"`),
    'FORBIDDEN NOT_FOUND done FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN',
  ],
  'report on the step that it holds': [
    ({ leaseToken }) => mutate('reportMetrics', `leaseToken: "${leaseToken}", metrics: [{name: "loss", value: 1}]`),
    'FORBIDDEN done INVALID_INPUT done done done FORBIDDEN',
  ],
  'report on a step of another project': [
    ({ foreign }) => mutate('reportMetrics', `leaseToken: "${foreign.leaseToken}", metrics: [{name: "loss", value: 1}]`),
    'FORBIDDEN INVALID_INPUT done INVALID_INPUT INVALID_INPUT INVALID_INPUT FORBIDDEN',
  ],
  'end a step of another project': [
    ({ foreign }) => mutate('failStep', `leaseToken: "${foreign.leaseToken}"`),
    'FORBIDDEN INVALID_INPUT done INVALID_INPUT INVALID_INPUT INVALID_INPUT FORBIDDEN',
  ],
  'claim a step of another project': [
    ({ foreign }) => mutate('claimStep', `jobId: "${foreign.queued}", stepNumber: 0`),
    'FORBIDDEN NOT_FOUND done NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'claim for a device of another project': [
    ({ foreign }) => mutate('claimNextSteps', `deviceId: "${foreign.device}"`),
    'FORBIDDEN NOT_FOUND done NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'register a device in another project': [
    ({ foreign }) => mutate('registerDevice', `projectId: "${foreign.project}", name: "d"`),
    'FORBIDDEN NOT_FOUND done NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'register another device': [
    ({ project }) => mutate('registerDevice', `projectId: "${project}", name: "another"`),
    'FORBIDDEN done NOT_FOUND INVALID_INPUT FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'change the device of its project': [
    ({ device }) => mutate('updateDevice', `deviceId: "${device}", slots: 3`),
    'FORBIDDEN done NOT_FOUND done FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'change a device of another project': [
    ({ foreign }) => mutate('updateDevice', `deviceId: "${foreign.device}", slots: 3`),
    'FORBIDDEN NOT_FOUND done NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'make a key for itself with more rights': [() => mutate('createApiKey', 'name: "k", role: ADMIN'), noAdmin],
  'make a key of another project': [({ foreign }) => mutate('createApiKey', `name: "k", projectId: "${foreign.project}"`), noAdmin],
  'make a key of a device': [({ device }) => mutate('createApiKey', `name: "k", kind: DEVICE, deviceId: "${device}"`), noAdmin],
  'make a link to a job': [({ own }) => mutate('createApiKey', `name: "k", kind: WATCH, jobId: "${own}"`), editorsAlone],
  'make a key of a job of another project': [
    ({ foreign }) => mutate('createApiKey', `name: "k", kind: JOB, jobId: "${foreign.queued}"`),
    strangersAlone,
  ],
  'end a key of another': [
    ({ adminKeyId }) => mutate('revokeApiKey', `apiKeyId: "${adminKeyId}"`),
    'FORBIDDEN NOT_FOUND NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'cancel another job': [({ sibling }) => mutate('cancelJob', `jobId: "${sibling}"`), editorsAlone],
  'cancel a job of another project': [({ foreign }) => mutate('cancelJob', `jobId: "${foreign.queued}"`), strangersAlone],
  'delete another job': [
    ({ sibling }) => mutate('deleteJob', `jobId: "${sibling}"`),
    'FORBIDDEN done NOT_FOUND FORBIDDEN FORBIDDEN FORBIDDEN FORBIDDEN',
  ],
  'delete a device of another project': [({ foreign }) => mutate('deleteDevice', `deviceId: "${foreign.idleDevice}"`), strangersAlone],
};

const expectedOf = (rows: Record<string, Row>, holder: Holder) =>
  Object.fromEntries(Object.entries(rows).map(([name, [, outcomes]]) => [name, outcomes.split(' ')[holders.indexOf(holder)]]));

async function outcomesOf(rows: Record<string, Row>, world: World, get: (document: string) => Promise<Asked>) {
  const outcomes: Record<string, string> = {};
  for (const [name, [document]] of Object.entries(rows)) outcomes[name] = outcomeOf(await get(document(world)));
  return outcomes;
}

/** The outcome in one word. */
function outcomeOf({ status, data, errors }: Asked): string {
  const [error] = errors ?? [];
  if (error) return status >= 500 ? `status ${status}` : error.extensions.code;
  const [value] = Object.values(data ?? {});
  return wordFor(value);
}

function wordFor(value: unknown): string {
  if (value === null) return 'hidden';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : wordFor(value[0]);
  if (typeof value !== 'object' || value === undefined) return 'shown';
  const fields = value as Record<string, unknown>; // an object, as JSON has it
  if ('__typename' in fields) return typeof fields.code === 'string' ? fields.code : 'done';
  if ('totalCount' in fields) {
    const count = fields.totalCount as number; // by the schema
    if (Array.isArray(fields.nodes)) expect(fields.nodes).toHaveLength(count);
    return String(count);
  }
  const [inner] = Object.values(fields);
  return inner !== null && typeof inner === 'object' ? wordFor(inner) : inner === null ? 'hidden' : 'shown';
}

test.each(holders)('a key of kind %s sees, counts and watches what it may, and no more', async (holder) => {
  const world = await buildWorld(gateway);
  const key = world.keys[holder];
  expect(await outcomesOf(reads, world, (document) => ask(gateway, key, document))).toEqual(expectedOf(reads, holder));
  const watch = (document: string) => firstFrame(gateway, key, document);
  expect(await outcomesOf(subscriptions, world, watch)).toEqual(expectedOf(subscriptions, holder));
});

test.each(holders)('a key of kind %s changes what it may, and no more', async (holder) => {
  const world = await buildWorld(gateway);
  const key = world.keys[holder];
  expect(await outcomesOf(changes, world, (document) => ask(gateway, key, document))).toEqual(expectedOf(changes, holder));
});

test('without a key, or with an invalid one, nothing is answered', async () => {
  const world = await buildWorld(gateway);
  for (const rows of [reads, changes]) {
    for (const [name, [document]] of Object.entries(rows)) {
      for (const key of [null, 'tyk_no-such-key', `${world.keys.lease.slice(0, -1)}!`]) {
        const { status, data, errors } = await ask(gateway, key, document(world));
        expect({ name, status, data, code: errors?.[0]?.extensions.code }).toEqual({
          name,
          status: 401,
          data: undefined,
          code: 'UNAUTHENTICATED',
        });
      }
    }
  }
  expect((await firstFrame(gateway, null, 'subscription { jobsUpdated { id } }')).status).toBe(401);
});

test('an object that may not be seen is answered word for word like one that does not exist', async () => {
  const world = await buildWorld(gateway);
  const missing = (id: string) => `${id.slice(0, -5)}zzzzz`;
  const { foreign } = world;
  const asked: [(id: string) => string, string][] = [
    [(id) => mutateAll('updateJob', `jobId: "${id}", statusMessage: "m"`), foreign.job],
    [(id) => mutateAll('updateDevice', `deviceId: "${id}", slots: 2`), foreign.device],
    [(id) => mutateAll('updateProject', `projectId: "${id}", name: "q"`), foreign.project],
    [(id) => mutateAll('deleteFragment', `fragmentId: "${id}"`), foreign.file],
    [(id) => mutateAll('claimStep', `jobId: "${id}", stepNumber: 0`), foreign.queued],
    [
      (id) => mutateAll('createJob', `projectId: "${world.project}", name: "j", steps: [{name: "s", pinnedDeviceId: "${id}"}]`),
      foreign.device,
    ],
    [(id) => mutateAll('createJob', `projectId: "${world.project}", name: "j", experimentId: "${id}"`), foreign.experiment],
    [(id) => mutateAll('createExperiment', `projectId: "${world.project}", name: "e", startModelFragmentId: "${id}"`), foreign.file],
    [(id) => mutateAll('createApiKey', `name: "k", kind: WATCH, jobId: "${id}"`), foreign.job],
    [
      (id) => `{ job(id: "${world.sibling}") { step(number: 0) { whyNot(deviceId: "${id}") { requirement explanation } } } }`,
      foreign.device,
    ],
  ];
  for (const [document, id] of asked) {
    const [there, nowhere] = [
      await ask(gateway, world.keys.editor, document(id)),
      await ask(gateway, world.keys.editor, document(missing(id))),
    ];
    expect(JSON.stringify(there).replaceAll(id, 'ID')).toBe(JSON.stringify(nowhere).replaceAll(missing(id), 'ID'));
  }
  const watch = (id: string) => firstFrame(gateway, world.keys.editor, `subscription { log(jobId: "${id}") { cursor } }`);
  const [there, nowhere] = [await watch(foreign.job), await watch(missing(foreign.job))];
  expect(JSON.stringify(there).replaceAll(foreign.job, 'ID')).toBe(JSON.stringify(nowhere).replaceAll(missing(foreign.job), 'ID'));
});

const mutateAll = (name: string, input: string) => `mutation { ${name}(input: {${input}}) { __typename ... on Error { code message } } }`;

test('files can be read with a signed URL, or a key that sees them', async () => {
  const world = await buildWorld(gateway);
  const get = (id: string, key: string | null) =>
    fetch(`${gateway.url}/fragments/${id}`, key === null ? {} : { headers: { authorization: `Bearer ${key}` } }).then(
      ({ status }) => status,
    );
  const found: Record<string, Record<string, number>> = {};
  for (const holder of holders) {
    const key = world.keys[holder];
    found[holder] = {
      file: await get(world.file, key),
      siblingFile: await get(world.siblingFile, key),
      projectFile: await get(world.projectFile, key),
      foreignFile: await get(world.foreign.file, key),
    };
  }
  const all = { file: 200, siblingFile: 200, projectFile: 200, foreignFile: 404 };
  const ofJob = { ...all, siblingFile: 404 };
  expect(found).toEqual({
    viewer: all,
    editor: all,
    device: all,
    stranger: { file: 404, siblingFile: 404, projectFile: 404, foreignFile: 200 },
    job: ofJob,
    lease: ofJob,
    watch: { ...ofJob, projectFile: 404 },
  });
  expect(await get(world.file, null)).toBe(404);
  const put = async (id: string, key: string) => {
    const headers = { authorization: `Bearer ${key}` };
    return (await fetch(`${gateway.url}/fragments/${id}`, { method: 'PUT', headers, body: 'bytes' })).status;
  };
  for (const holder of ['viewer', 'stranger', 'watch'] as const) expect(await put(world.pendingFile, world.keys[holder])).toBe(404);
  for (const holder of ['viewer', 'stranger', 'watch', 'job', 'lease'] as const)
    expect(await put(world.pendingProjectFile, world.keys[holder])).toBe(404);
  expect(await put(world.pendingFile, world.keys.job)).toBe(200);
});

test('a revoked key closes its sockets, streams and waiting requests within 5 s (P15)', async () => {
  const world = await buildWorld(gateway);
  const { secret, apiKeyId } = await world.makeKey(`role: EDITOR, projectId: "${world.project}"`);
  const socket = await openSocket(gateway, secret, `subscription { log(jobId: "${world.own}") { cursor } }`);
  const stream = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query: `subscription { metrics(jobId: "${world.own}") { cursor } }` }),
  });
  const streamed = stream.text();
  await ask(gateway, secret, mutate('claimStep', `jobId: "${world.sibling}", stepNumber: 0`));
  const waiting = ask(
    gateway,
    secret,
    'mutation { claimNextSteps(input: {waitSeconds: 20}) { ... on ClaimNextStepsPayload { claims { lease { token } } } } }',
  );
  const before = performance.now();
  await ask(gateway, gateway.adminKey, mutate('revokeApiKey', `apiKeyId: "${apiKeyId}"`));
  expect(await socket.closed).toBe(4401);
  expect(await streamed).toContain('The key was revoked.');
  expect(performance.now() - before).toBeLessThan(5_000);
  // A step that is queued now goes to other claims.
  await ask(gateway, gateway.adminKey, mutate('createJob', `projectId: "${world.project}", name: "late"`));
  expect((await waiting).data).toEqual({ claimNextSteps: { claims: [] } });
  expect(performance.now() - before).toBeLessThan(10_000);
  expect((await ask(gateway, secret, '{ viewer { name } }')).status).toBe(401);
});
