/**
 * Input of every shape: accepted unchanged, or refused with the path of the problem and no effect
 * (P14).
 */
import { expect, test } from 'vitest';
import { claimStep } from '../../../src/domain/claims/claims.ts';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import type { ItemValueType } from '../../../src/domain/core/vocabulary.ts';
import { createApplication } from '../../../src/domain/jobs/applications.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createJob } from '../../../src/domain/jobs/creation.ts';
import type { CreateJobInput } from '../../../src/domain/jobs/input.ts';
import { spell, typedValue } from '../../../src/domain/jobs/items.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { addSteps, updateJob } from '../../../src/domain/jobs/update.ts';
import { registerDevice } from '../../../src/domain/steps/devices.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

const nested = (depth: number): Record<string, unknown> => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
const long = (count: number) => 'x'.repeat(count);

/** An input with a problem, and the path in the refusal. */
const wrong: Record<string, [Partial<CreateJobInput>, string]> = {
  'an empty name': [{ name: '' }, 'name'],
  'a name of spaces': [{ name: ' \t ' }, 'name'],
  'a long name': [{ name: long(201) }, 'name'],
  'a name with NUL': [{ name: 'a\0b' }, 'name'],
  'a name over two lines': [{ name: 'a\nb' }, 'name'],
  'a long description': [{ description: long(10_001) }, 'description'],
  'a description with NUL': [{ description: 'a\0b' }, 'description'],
  'a high priority': [{ priority: 1_000_001 }, 'priority'],
  'a timeout of nothing': [{ runTimeoutSeconds: 0 }, 'runTimeoutSeconds'],
  'a timeout that is no number': [{ scheduleTimeoutSeconds: Number.NaN }, 'scheduleTimeoutSeconds'],
  'a label twice': [{ labels: [...Array(2)].map(() => ({ key: 'a', value: '' })) }, 'labels.1'],
  'too many labels': [{ labels: Array.from({ length: 51 }, (_, i) => ({ key: `k${i}`, value: '' })) }, 'labels'],
  'a label with NUL': [{ labels: [{ key: 'a', value: '\0' }] }, 'labels.0.value'],
  'no steps': [{ steps: [] }, 'steps'],
  'too many steps': [{ steps: Array.from({ length: 1_001 }, () => ({ name: 'x' })) }, 'steps'],
  'a step without a name': [{ steps: [{ name: 'a' }, { name: '' }] }, 'steps.1.name'],
  'no attempts': [{ steps: [{ name: 'a', maxAttempts: 0 }] }, 'steps.0.maxAttempts'],
  'no cores': [{ steps: [{ name: 'a', resources: { cpu: 0 } }] }, 'steps.0.resources.cpu'],
  'a device that is not there': [{ steps: [{ name: 'a', pinnedDeviceId: 'dev_nowhere' }] }, 'steps.0.pinnedDeviceId'],
  'an input of a later step': [
    { steps: [{ name: 'a' }, { name: 'b', inputs: [{ stepNumber: 1, filename: 'x' }] }] },
    'steps.1.inputs.0.stepNumber',
  ],
  'an input of the first step': [{ steps: [{ name: 'a', inputs: [{ stepNumber: -1, filename: 'x' }] }] }, 'steps.0.inputs.0.stepNumber'],
  'an input that leads outside': [
    { steps: [{ name: 'a' }, { name: 'b', inputs: [{ stepNumber: 0, filename: '../x' }] }] },
    'steps.1.inputs.0.filename',
  ],
  'a ref that is a flag': [{ code: { git: { ref: '--upload-pack=x' } } }, 'code.git.ref'],
  'a ref with a refspec': [{ code: { git: { ref: 'main:refs/heads/x' } } }, 'code.git.ref'],
  'a clone without a repository': [{ code: { git: {} } }, 'code.git'],
  'a container beside steps': [{ steps: [{ name: 'a' }], container: { command: 'x' } }, 'container'],
  'a command of nothing and no image': [{ container: { command: '' } }, 'container.command'],
  'an entrypoint of spaces and no image': [{ container: { entrypoint: ' \t', command: ' ' } }, 'container.command'],
  'a step that runs nothing': [{ steps: [{ name: 'a', container: { entrypoint: '' } }] }, 'steps.0.container.entrypoint'],
  'a build of nothing': [{ container: { build: { context: ' ' } } }, 'container.build.context'],
  'a variable of no name': [{ container: { env: [{ name: 'A=B', value: '' }] } }, 'container.env.0.name'],
  'a variable twice': [{ container: { env: [...Array(2)].map(() => ({ name: 'A', value: '' })) } }, 'container.env.1'],
  'a relative volume': [{ container: { volumes: [{ storage: 'a', containerPath: '../b' }] } }, 'container.volumes.0.containerPath'],
  'a port of none': [{ container: { http: { port: 65_536 } } }, 'container.http.port'],
  'an image and a build': [{ container: { image: 'a', build: { context: '.' } } }, 'container.build'],
  // A program on the device would take this for a flag (P16).
  'an image that is a flag': [{ container: { image: '--privileged' } }, 'container.image'],
  'an entrypoint that is a flag': [{ container: { image: 'a', entrypoint: ' --rm' } }, 'container.entrypoint'],
  'a build of stdin': [{ container: { build: { context: '-' } } }, 'container.build.context'],
  'a Dockerfile that is a flag': [{ container: { build: { context: '.', dockerfile: '-f' } } }, 'container.build.dockerfile'],
  'a volume that is a flag': [{ container: { volumes: [{ storage: '-v', containerPath: '/a' }] } }, 'container.volumes.0.storage'],
  'an image of a step that is a flag': [{ steps: [{ name: 'a', container: { image: '-it' } }] }, 'steps.0.container.image'],
  'large settings': [{ settings: { text: long(262_144) } }, 'settings'],
  'deep settings': [{ settings: nested(33) }, 'settings'],
  'bottomless settings': [{ settings: nested(20_000) }, 'settings'],
  'settings with NUL': [{ settings: { a: 'b\0' } }, 'settings'],
  'an override of __proto__': [{ settingsOverrides: [{ path: '__proto__.polluted', value: 1 }] }, 'settingsOverrides.0.path'],
  'an override inside constructor': [{ settingsOverrides: [{ path: 'a.constructor.b', value: 1 }] }, 'settingsOverrides.0.path'],
  'an override of nothing': [{ settingsOverrides: [{ path: 'a..b', value: 1 }] }, 'settingsOverrides.0.path'],
  'an item twice': [{ items: [...Array(2)].map(() => ({ name: 'a', value: '1' })) }, 'items.1'],
  'an item without a value': [{ items: [{ name: 'a' }] }, 'items.0.value'],
  'an item of the wrong type': [{ items: [{ name: 'a', valueType: 'INT', value: '1.5' }] }, 'items.0.value'],
  'a default of the wrong type': [
    { items: [{ name: 'a', valueType: 'BOOL', value: 'true', defaultValue: 'yes' }] },
    'items.0.defaultValue',
  ],
  'an item with NUL': [{ items: [{ name: 'a', value: '\0' }] }, 'items.0.value'],
};

describeOnGround('Input', (on) => {
  const create = (input: Partial<CreateJobInput>) =>
    createJob(on().seed.domain, admin, { projectId: on().seed.project.id, name: 'A job', ...input });

  test.each(Object.entries(wrong))('with %s is refused with its path', async (_, [input, path]) => {
    const { readAll } = on();
    const before = await readAll();
    for (const idempotencyKey of [null, 'k']) {
      const refusal = await refusalOf(create({ ...input, idempotencyKey }));
      expect(refusal).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: path.split('.'), message: expect.stringMatching(/.\.$/) }] });
    }
    expect(await readAll()).toEqual(before);
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  // 250 kB: a body holds four of them, and 100 steps would store 25 MB (P14).
  const large = { env: Array.from({ length: 8 }, (_, i) => ({ name: `V${i}`, value: long(32_000) })), command: 'true' };
  const many = Array.from({ length: 100 }, (_, i) => ({ name: `Step ${i}` }));

  test('that multiplies one large container is refused: of an application, of a federation, of a job that gets more steps (P14)', async () => {
    const { seed, readAll } = on();
    const { application } = await createApplication(seed.domain, admin, { name: `Large in ${seed.project.id}`, container: large });
    const { job } = await create({ container: large });
    const before = await readAll();
    const federation = { numDevices: 100, terminationCriteria: [{ maxRounds: 1 }] };
    for (const [path, attempt] of [
      ['steps', () => create({ applicationId: application.id, steps: many })],
      ['federation', () => create({ container: large, federation })],
      ['federation', () => create({ federation: { ...federation, trainContainer: large } })],
      ['steps', () => addSteps(seed.domain, admin, { jobId: job.id, steps: many })],
    ] as const)
      expect(await refusalOf(attempt())).toMatchObject({
        code: 'INVALID_INPUT',
        issues: [{ path: [path], message: expect.stringContaining('gives 100 steps containers of more than 16777216 bytes') }],
      });
    expect(await readAll()).toEqual(before);
    expect((await addSteps(seed.domain, admin, { jobId: job.id, steps: many.slice(0, 10) })).steps).toHaveLength(10);
  });

  test('with blank ids is the same as without them, also for its idempotency key', async () => {
    const { seed } = on();
    const blank = [
      'experimentId',
      'applicationId',
      'modelId',
      'startModelId',
      'startModelVersionId',
      'datasetId',
      'datasetVersionId',
    ] as const;
    const steps = [{ name: 'a', pinnedDeviceId: '' }];
    const { job } = await create({ ...Object.fromEntries(blank.map((field) => [field, ''])), steps, idempotencyKey: 'form' });
    expect(blank.map((field) => job[field])).toEqual(blank.map(() => null));
    expect((await seed.readSteps(job.id)).map(({ queueId }) => queueId)).toEqual([expect.not.stringContaining('dev_')]);
    expect(await create({ steps, idempotencyKey: 'form' })).toMatchObject({ job: { id: job.id }, isReplay: true });
  });

  test('with an empty command is accepted if there is an image', async () => {
    expect((await create({ container: { image: 'busybox', command: '' } })).job.container).toMatchObject({ image: 'busybox', command: '' });
  });

  test('that is nested without limit is refused in every field', async () => {
    const { seed } = on();
    const { job } = await seed.createJob();
    const { lease } = await seed.claim(job);
    const output = nested(20_000);
    expect(await refusalOf(completeStep(seed.domain, admin, { leaseToken: lease.token, output }))).toMatchObject({
      issues: [{ path: ['output'] }],
    });
    const container = { properties: output };
    expect(await refusalOf(create({ container }))).toMatchObject({ issues: [{ path: ['container', 'properties'] }] });
    expect(await refusalOf(create({ container, idempotencyKey: 'k' }))).toMatchObject({ issues: [{ path: ['container'] }] });
  });

  test('that is unusual but valid is stored unchanged', async () => {
    const { seed } = on();
    const name = 'Zürich 🚂 \u202e中文 👩‍👩‍👧';
    const settings = { __proto__x: 1, '': { ü: [null, true, 1e300, -0.5, ''] }, z: 1, a: 2 };
    const input = { name, description: 'tab\tline\n', settings, labels: [{ key: '🚂', value: '' }], priority: -1_000_000 };
    const { job } = await create(input);
    expect(await seed.readJob(job.id)).toMatchObject(input);
    expect(Object.keys((await seed.readJob(job.id)).settings)).toEqual(Object.keys(settings));
  });

  test('with half a character, or with a key named __proto__, does no harm', async () => {
    const { seed } = on();
    const settings: Record<string, unknown> = JSON.parse('{"__proto__": {"polluted": 1}, "half": "\\ud800"}');
    const { job } = await create({ settings, name: 'half \ud800', idempotencyKey: 'k' });
    const kept = (await seed.readJob(job.id)).settings;
    expect(Object.keys(kept)).toEqual(['__proto__', 'half']);
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  test('that overrides settings sets each value at its path', async () => {
    const settingsOverrides = [
      { path: 'a.b', value: 1 },
      { path: 'list', value: [1] },
      { path: 'a.c.d', value: null },
      { path: 'scalar.inside', value: true },
    ];
    const { job } = await create({ settings: { a: { b: 0, keep: 1 }, scalar: 5 }, settingsOverrides });
    expect(job.settings).toEqual({ a: { b: 1, keep: 1, c: { d: null } }, scalar: { inside: true }, list: [1] });
  });

  test('that names an impossible id is not found, whatever the id contains', async () => {
    const { seed, readAll } = on();
    const before = await readAll();
    for (const id of ['', 'job_', "'; drop table jobs; --", long(10_000), 'ünïcode', seed.project.id]) {
      const { domain } = seed;
      expect(await refusalOf(claimStep(domain, admin, { jobId: id, stepNumber: 0, leaseSeconds: 60 }))).toMatchObject({
        code: 'NOT_FOUND',
      });
      expect(await refusalOf(cancelJob(domain, admin, { jobId: id, cancelTimeoutSeconds: 0 }))).toMatchObject({ code: 'NOT_FOUND' });
      expect(await refusalOf(updateJob(domain, admin, { jobId: id, name: 'x' }))).toMatchObject({ code: 'NOT_FOUND' });
      if (id !== seed.project.id) expect(await refusalOf(create({ projectId: id }))).toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(await readAll()).toEqual(before);
  });

  test('of projects and devices is refused in the same way', async () => {
    const { seed, readAll } = on();
    const before = await readAll();
    expect(await refusalOf(createProject(seed.domain, admin, { name: '', gitRepository: '\0', pipeline: [] }))).toMatchObject({
      issues: [{ path: ['name'] }, { path: ['gitRepository'] }, { path: ['pipeline'] }],
    });
    const device = {
      projectId: seed.project.id,
      name: 'a\nb',
      slots: 0,
      resources: { gpu: -1, memoryMb: 0 },
      labels: [{ key: '', value: '' }],
    };
    expect(await refusalOf(registerDevice(seed.domain, admin, device))).toMatchObject({
      issues: [
        { path: ['name'] },
        { path: ['labels', '0', 'key'] },
        { path: ['resources', 'memoryMb'] },
        { path: ['resources', 'gpu'] },
        { path: ['slots'] },
      ],
    });
    expect(await readAll()).toEqual(before);
  });

  test.each<[ItemValueType, string, string, unknown]>([
    ['INT', ' +007 ', '7', 7],
    ['INT', '-0', '0', 0],
    ['FLOAT', '1e-3', '0.001', 0.001],
    ['FLOAT', '.5', '0.5', 0.5],
    ['FLOAT', '-0.0', '0', 0],
    ['NUMBER', '10', '10', 10],
    ['NUMBER', '1E2', '100', 100],
    ['BOOL', ' TRUE ', 'true', true],
    ['TEXT', ' as it is ', ' as it is ', ' as it is '],
    ['MULTI', 'a, b', 'a, b', 'a, b'],
    ['STRING_ARRAY', '[ "a" ,"ü" ]', '["a","ü"]', ['a', 'ü']],
  ])('of an item of type %s, %j, is spelled %j', async (valueType, given, value, typed) => {
    const { store } = on();
    const { job } = await create({ items: [{ name: 'x', valueType, value: given, defaultValue: given }] });
    const { db, t } = store.read;
    const [item] = (await db.select().from(t.jobItems)).filter(({ jobId }) => jobId === job.id);
    expect(item).toMatchObject({ value, defaultValue: value, valueType });
    expect(item && typedValue(item)).toEqual(typed);
  });
});

test.each<[ItemValueType, string]>([
  ['INT', ''],
  ['INT', '1.0'],
  ['INT', '9007199254740992'],
  ['INT', '0x10'],
  ['FLOAT', 'NaN'],
  ['FLOAT', 'Infinity'],
  ['FLOAT', '1e999'],
  ['FLOAT', '1,5'],
  ['NUMBER', 'ten'],
  ['BOOL', '1'],
  ['STRING_ARRAY', '[1]'],
  ['STRING_ARRAY', 'a,b'],
])('an item of type %s is not %j', (type, value) => {
  expect(spell(type, value)).toEqual({ wrong: expect.any(String) });
});
