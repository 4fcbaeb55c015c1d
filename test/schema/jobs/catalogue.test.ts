import { beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '../../../src/domain/access/key-changes.ts';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

/** The answer of a mutation: its payload or a refusal. */
type Result<P> = P & { __typename: string; code?: string; message?: string };

describeOnEachStore('the catalogue', (open) => {
  let seed: Seed;
  let ask: Ask;
  /** Another project, with a device and a job. */
  let other: { id: string; jobId: string; deviceId: string };
  let editor: Principal;

  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    const { project } = await createProject(seed.domain, admin, { name: 'Other' });
    const { job } = await seed.createJob(1, { projectId: project.id });
    const { device } = await seed.registerDevice({ projectId: project.id });
    other = { id: project.id, jobId: job.id, deviceId: device.id };
    const { secret } = await createApiKey(seed.domain, admin, { name: 'eve', kind: 'USER', role: 'EDITOR', projectId: seed.project.id });
    editor = await seed.principalOf(secret);
  });

  describe('projects', () => {
    const create = `mutation ($input: CreateProjectInput!) { createProject(input: $input) {
      __typename
      ... on CreateProjectPayload { project { id name gitRepository pipeline { name maxAttempts container { command env { name value } } resources { cpu shm } requiredLabels { key } } } }
      ... on Error { code message }
      ... on InvalidInputError { issues { path message } }
      ... on IdempotencyConflictError { differingPaths }
    } }`;

    test('are made with the given pipeline, and read back as they were made', async () => {
      const pipeline = [
        {
          name: 'train',
          maxAttempts: 3,
          resources: { cpu: 2 },
          container: { command: 'python train.py', env: [{ name: 'A', value: '1' }] },
        },
      ];
      const { createProject: made } = await ask<{ createProject: Result<{ project: { id: string } }> }>(create, {
        input: { name: 'Piped', gitRepository: 'https://git.example/x', pipeline },
      });
      expect(made).toMatchObject({
        __typename: 'CreateProjectPayload',
        project: {
          name: 'Piped',
          gitRepository: 'https://git.example/x',
          pipeline: [
            {
              name: 'train',
              maxAttempts: 3,
              container: { command: 'python train.py', env: [{ name: 'A', value: '1' }] },
              resources: { cpu: 2, shm: false },
              requiredLabels: [],
            },
          ],
        },
      });
      const { project } = await ask<{ project: { name: string } }>('query ($id: ID!) { project(id: $id) { name } }', {
        id: made.project.id,
      });
      expect(project.name).toBe('Piped');
    });

    test('have one step named Bootstrap if no pipeline is given', async () => {
      const { createProject: made } = await ask<{ createProject: object }>(create, { input: { name: 'Bare' } });
      expect(made).toMatchObject({ project: { pipeline: [{ name: 'Bootstrap', maxAttempts: 1, container: null }] } });
    });

    test('with a wrong input are refused, naming the wrong fields', async () => {
      const { createProject: refused } = await ask<{ createProject: object }>(create, { input: { name: ' ', pipeline: [{ name: '' }] } });
      expect(refused).toMatchObject({
        __typename: 'InvalidInputError',
        code: 'INVALID_INPUT',
        issues: [{ path: ['name'] }, { path: ['pipeline', '0', 'name'] }],
      });
    });

    test('with the idempotency key of another input are refused, naming the difference (P6)', async () => {
      await ask(create, { input: { name: 'Once', idempotencyKey: 'k' } });
      const { createProject: refused } = await ask<{ createProject: object }>(create, { input: { name: 'Twice', idempotencyKey: 'k' } });
      expect(refused).toMatchObject({ __typename: 'IdempotencyConflictError', differingPaths: ['name'] });
    });

    test('show their new state in the answer to a change', async () => {
      const { updateProject } = await ask<{ updateProject: object }>(
        `mutation ($id: ID!) { updateProject(input: { projectId: $id, name: "Figures" }) { ... on UpdateProjectPayload { project { name jobs { totalCount } } } } }`,
        { id: seed.project.id },
      );
      expect(updateProject).toMatchObject({ project: { name: 'Figures' } });
    });

    test('are not deleted until all their jobs have ended', async () => {
      const { deleteProject } = await ask<{ deleteProject: object }>(
        `mutation ($id: ID!) { deleteProject(input: { projectId: $id }) { __typename ... on InvalidStateError { code status allowed } } }`,
        { id: other.id },
      );
      expect(deleteProject).toMatchObject({ __typename: 'InvalidStateError', code: 'INVALID_STATE' });
    });
  });

  describe('devices', () => {
    const register = `mutation ($input: RegisterDeviceInput!) { registerDevice(input: $input) {
      ... on RegisterDevicePayload { apiKey device { id name kind status slots labels { key value } resources { memoryMb cpu gpu gpuModel shm } project { id } } }
    } }`;
    const list = `query ($filter: DeviceFilter) { devices(filter: $filter) { nodes { name } totalCount } }`;
    const names = async (filter: object) =>
      (
        await ask<{ devices: { nodes: { name: string }[]; totalCount: number } }>(list, {
          filter: { projectId: seed.project.id, ...filter },
        })
      ).devices;

    test('register with a key that is shown once, and are taken over by name', async () => {
      const input = {
        projectId: seed.project.id,
        name: 'gpu-1',
        labels: [{ key: 'room', value: '7' }],
        resources: { gpu: 2, gpuModel: 'A100' },
      };
      const { registerDevice: first } = await ask<{ registerDevice: { apiKey: string; device: { id: string } } }>(register, { input });
      expect(first).toMatchObject({
        apiKey: expect.stringMatching(/^tyk_/),
        device: {
          name: 'gpu-1',
          kind: 'WORKER',
          status: 'ONLINE',
          slots: 1,
          labels: [{ key: 'room', value: '7' }],
          resources: { memoryMb: null, cpu: null, gpu: 2, gpuModel: 'A100', shm: false },
          project: { id: seed.project.id },
        },
      });
      const { registerDevice: again } = await ask<{ registerDevice: { apiKey: string | null; device: { id: string } } }>(register, {
        input: { ...input, slots: 4 },
      });
      expect(again).toMatchObject({ apiKey: null, device: { id: first.device.id, slots: 4 } });
    });

    test('are filtered by status, kind and labels, and counted with the same filter', async () => {
      await seed.registerDevice({ name: 'old' });
      seed.clock.advance(61_000);
      await seed.registerDevice({ name: 'new', labels: [{ key: 'zone', value: 'a' }] });
      const { device } = await seed.registerDevice({ name: 'leaving', kind: 'EDGE' });
      await ask(`mutation ($id: ID!) { updateDevice(input: { deviceId: $id, isDraining: true }) { __typename } }`, { id: device.id });

      expect(await names({ statuses: ['ONLINE'] })).toEqual({ nodes: [{ name: 'new' }], totalCount: 1 });
      expect(await names({ statuses: ['DRAINING'], kinds: ['EDGE'] })).toEqual({ nodes: [{ name: 'leaving' }], totalCount: 1 });
      expect((await names({ statuses: ['OFFLINE'] })).nodes).toContainEqual({ name: 'old' });
      expect(await names({ labels: [{ key: 'zone', value: 'a' }] })).toEqual({ nodes: [{ name: 'new' }], totalCount: 1 });
      expect(await names({ labels: [{ key: 'zone', value: 'b' }] })).toEqual({ nodes: [], totalCount: 0 });
      expect(await names({ statuses: [] })).toEqual({ nodes: [], totalCount: 0 });
    });

    test('list the steps that they claimed, newest first', async () => {
      const device = await seed.registerDevice();
      const job = await seed.createJob(1);
      await seed.claim(job, 0, device);
      seed.clock.advance(1_000);
      const second = await seed.createJob(1);
      await seed.claim(second, 0, device);
      const query = `query ($id: ID!, $after: String) { device(id: $id) { attempts(first: 1, after: $after) {
        nodes { number outcome step { job { id } } } pageInfo { endCursor hasNextPage } totalCount } } }`;
      interface Page {
        device: { attempts: { nodes: unknown[]; pageInfo: { endCursor: string; hasNextPage: boolean }; totalCount: number } };
      }
      const one = await ask<Page>(query, { id: device.device.id });
      expect(one.device.attempts).toMatchObject({
        nodes: [{ number: 1, outcome: 'RUNNING', step: { job: { id: second.job.id } } }],
        totalCount: 2,
      });
      const two = await ask<Page>(query, { id: device.device.id, after: one.device.attempts.pageInfo.endCursor });
      expect(two.device.attempts).toMatchObject({ nodes: [{ step: { job: { id: job.job.id } } }], pageInfo: { hasNextPage: false } });
    });
  });

  describe('keys', () => {
    test('show a hint but not their secret, and end when they are revoked', async () => {
      interface Made {
        createApiKey: { apiKey: { id: string; hint: string; role: string }; secret: string };
      }
      const { createApiKey: made } = await ask<Made>(
        `mutation { createApiKey(input: { name: "ci", role: EDITOR }) { ... on CreateApiKeyPayload { secret apiKey { id hint role revokedAt project { id } } } } }`,
      );
      expect(made.secret.startsWith(made.apiKey.hint)).toBe(true);
      expect(made.apiKey.role).toBe('EDITOR');
      const revoked = await ask<{ revokeApiKey: object }>(
        `mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { ... on RevokeApiKeyPayload { apiKey { id revokedAt } } } }`,
        { id: made.apiKey.id },
      );
      expect(revoked.revokeApiKey).toMatchObject({ apiKey: { id: made.apiKey.id, revokedAt: seed.clock.now().toISOString() } });
    });

    test('are listed for an admin, and those of jobs for an editor (P15)', async () => {
      const { apiKeys } = await ask<{ apiKeys: { nodes: { name: string }[] } }>('{ apiKeys { nodes { name kind } } }');
      expect(apiKeys.nodes).toContainEqual({ name: 'eve', kind: 'USER' });
      const { job } = await seed.createJob();
      const asEditor = await askAs(
        seed.domain,
        editor,
      )<{ apiKeys: { nodes: object[] } }>(`{ apiKeys(kinds: [USER, DEVICE, JOB, WATCH], jobId: "${job.id}") { nodes { name } } }`);
      expect(asEditor.apiKeys.nodes).toEqual([{ name: `token of ${job.id}` }]);
      expect(await askAs(seed.domain, editor)('{ apiKeys(kinds: [USER, DEVICE]) { totalCount } }')).toEqual({ apiKeys: { totalCount: 0 } });
      const viewer = { ...editor, role: 'VIEWER' } as const;
      await expect(askAs(seed.domain, viewer)('{ apiKeys { totalCount } }')).rejects.toThrow('FORBIDDEN: This key may not read keys.');
    });

    test('are filtered by whether they are valid', async () => {
      const count = async (args: string) =>
        (await ask<{ apiKeys: { totalCount: number } }>(`{ apiKeys(${args}) { totalCount } }`)).apiKeys.totalCount;
      const before = [await count('isLive: true'), await count('isLive: false'), await count('kinds: [USER, DEVICE, WATCH]')];
      for (const expiresInSeconds of [null, 10, 1_000])
        await createApiKey(seed.domain, admin, { name: 'k', kind: 'USER', role: 'VIEWER', projectId: seed.project.id, expiresInSeconds });
      seed.clock.advance(10_000);
      const after = [await count('isLive: true'), await count('isLive: false'), await count('kinds: [USER, DEVICE, WATCH]')];
      expect(after.map((number, i) => number - (before[i] ?? 0))).toEqual([2, 1, 3]);
      expect(await count('jobId: "\u0000"')).toBe(0);
    });
  });

  describe('nodes', () => {
    const query = `query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`;

    test('are found by id, whatever their type, in the order of the request', async () => {
      const job = await seed.createJob(1);
      const ids = [job.job.id, other.deviceId, 'job_00000000000000000000000000', 'nonsense', seed.project.id, job.steps[0]?.id];
      const { nodes } = await ask<{ nodes: ({ __typename: string; id: string } | null)[] }>(query, { ids });
      expect(nodes.map((node) => node?.__typename ?? null)).toEqual(['Job', 'Device', null, null, 'Project', 'Step']);
      expect(nodes.map((node) => node?.id ?? null)).toEqual([ids[0], ids[1], null, null, ids[4], ids[5]]);
    });

    test('of another project are null (P15)', async () => {
      const ids = [other.id, other.jobId, other.deviceId, seed.project.id];
      const { nodes } = await askAs(seed.domain, editor)<{ nodes: ({ id: string } | null)[] }>(query, { ids });
      expect(nodes).toEqual([null, null, null, { __typename: 'Project', id: seed.project.id }]);
    });
  });

  test('lists and counts only what a key of one project sees (P15)', async () => {
    const asked = await askAs(
      seed.domain,
      editor,
    )<Record<string, { totalCount: number; nodes: { id: string }[] }>>(
      `{ projects { totalCount nodes { id } } devices(filter: { projectId: "${other.id}" }) { totalCount nodes { id } } }`,
    );
    expect(asked.projects).toEqual({ totalCount: 1, nodes: [{ id: seed.project.id }] });
    expect(asked.devices).toEqual({ totalCount: 0, nodes: [] });
  });

  test('shows the key of the request as the viewer', async () => {
    const { viewer } = await askAs(
      seed.domain,
      editor,
    )<{ viewer: object }>('{ viewer { kind name role project { id } job { id } device { id } expiresAt } }');
    expect(viewer).toEqual({
      kind: 'USER',
      name: 'user:eve',
      role: 'EDITOR',
      project: { id: seed.project.id },
      job: null,
      device: null,
      expiresAt: null,
    });
  });

  test('answers nothing without a key', async () => {
    const stranger = askAs(seed.domain, null);
    for (const field of [
      'viewer { name }',
      'gateway { version }',
      'projects { totalCount }',
      `project(id: "${seed.project.id}") { id }`,
      `node(id: "${seed.project.id}") { id }`,
    ]) {
      await expect(stranger(`{ ${field} }`)).rejects.toThrow('UNAUTHENTICATED');
    }
  });

  test('shows the version and the limits of the gateway', async () => {
    const { gateway } = await ask<{ gateway: object }>('{ gateway { version store startedAt limits } }');
    expect(gateway).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      store: seed.domain.store.description,
      limits: { stepsAtMost: seed.domain.limits.stepsAtMost },
    });
  });
});
