/** What a BrevettiAI job does, done by the operations in docs/moving/brevettiai.md. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CreateProjectDocument } from '../../src/client/generated.ts';
import { eventually } from '../agent/eventually.ts';
import { runCommand } from '../cli/processes.ts';
import { createFolder } from '../support/folders.ts';
import * as ask from './generated.ts';
import { describeSystem, done, refused } from './system.ts';

/** SerializeableObject of the documents, as JSON Schema. */
const settingsSchema = {
  type: 'object',
  properties: {
    param_1: { type: 'number', default: -1 },
    param_2: { type: 'string', default: 'Param2 not provided' },
    param_3: { type: 'object' },
    custom: { type: 'object', properties: { custom_param: { type: 'integer', default: 0 } }, default: {} },
  },
};

describeSystem('BrevettiAI', (system) => {
  const openProject = async () =>
    done((await system.admin.ask(CreateProjectDocument, { input: { name: 'Vision' } })).createProject).project.id;
  const start = async (input: Omit<ask.CreateJobInput, 'name'>) => {
    const { job, token } = done((await system.admin.ask(ask.StartDocument, { input: { ...input, name: 'A model' } })).createJob);
    return { job, token, own: system.as(token) };
  };
  let applications = 0;
  const defineSettings = async () => {
    const input = { name: `SerializeableObject ${applications++}`, settingsSchema };
    const { application } = done((await system.admin.ask(ask.DefineSettingsDocument, { input })).createApplication);
    expect(application.settingsSchema).toEqual(settingsSchema);
    return application.id;
  };

  test('b1: Job.init(job_id, api_key): a token for that job alone, that ends with the job', async () => {
    const projectId = await openProject();
    const [mine, other] = [await start({ projectId }), await start({ projectId })];
    expect(mine.token).toMatch(/^tyk_/);
    expect(mine.token).not.toBe(other.token);
    const { viewer, job } = await mine.own.ask(ask.InitDocument, { id: mine.job.id });
    expect(viewer).toEqual({ kind: 'JOB', job: { id: mine.job.id } });
    expect(job).toMatchObject({ id: mine.job.id, name: 'A model', status: 'QUEUED', output: null });

    // It reads and writes the files of its job.
    const written = await mine.own.ask(ask.WriteArtifactDocument, { jobId: mine.job.id, filename: 'mine.txt', text: 'mine' });
    expect(done(written.createFragment)).toMatchObject({ fragment: { status: 'READY' }, uploadUrl: null });
    const read = await mine.own.ask(ask.ReadArtifactDocument, { jobId: mine.job.id, filename: 'mine.txt' });
    expect(read.job?.latestFragment?.text).toBe('mine');
    const output = { accuracy: 0.9 };
    const uploaded = await mine.own.ask(ask.UploadJobOutputDocument, { jobId: mine.job.id, output });
    expect(done(uploaded.setJobOutput).job.output).toEqual(output);

    // Another job does not exist for this key.
    expect((await mine.own.ask(ask.InitDocument, { id: other.job.id })).job).toBeNull();
    const intruding = { jobId: other.job.id, filename: 'mine.txt', text: 'mine' };
    expect(refused((await mine.own.ask(ask.WriteArtifactDocument, intruding)).createFragment)).toEqual({ code: 'NOT_FOUND' });
    expect(refused((await mine.own.ask(ask.UploadJobOutputDocument, { jobId: other.job.id, output })).setJobOutput)).toEqual({
      code: 'NOT_FOUND',
    });
    expect((await system.admin.ask(ask.ListArtifactsDocument, { jobId: other.job.id })).job?.fragments.nodes).toEqual([]);
    await expect(mine.own.ask(ask.StartDocument, { input: { projectId, name: 'Another' } })).rejects.toMatchObject({ code: 'FORBIDDEN' });

    expect(done((await system.admin.ask(ask.EndDocument, { id: mine.job.id })).cancelJob).job.status).toBe('CANCELLED');
    await expect(mine.own.ask(ask.InitDocument, { id: mine.job.id })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect((await other.own.ask(ask.InitDocument, { id: other.job.id })).job?.id).toBe(other.job.id);
  });

  test('b2: Settings: get_config, from_config, nested; unknown keys are warned of', async () => {
    const [projectId, applicationId] = [await openProject(), await defineSettings()];
    const config = { param_1: 1, param_2: 'Test', param_3: { test_dict_serialization: 'nested' } };
    const { job, own } = await start({ projectId, applicationId, settings: config });
    // get_config returns what from_config was given, with defaults filled in.
    const whole = { ...config, custom: { custom_param: 0 } };
    expect(job).toMatchObject({ settings: whole, settingsWarnings: [] });
    expect((await own.ask(ask.InitDocument, { id: job.id })).job).toMatchObject({ settings: whole, settingsWarnings: [] });
    const copy = await start({ projectId, applicationId, settings: job.settings });
    expect(copy.job.settings).toEqual(job.settings);

    const unknown = await start({ projectId, applicationId, settings: { some_setting_i_need: 1, custom: { other: true } } });
    expect(unknown.job.settings).toEqual({
      ...{ param_1: -1, param_2: 'Param2 not provided', some_setting_i_need: 1 },
      custom: { custom_param: 0, other: true },
    });
    expect(new Set(unknown.job.settingsWarnings)).toEqual(new Set(['some_setting_i_need', 'custom.other']));

    const wrong = { projectId, applicationId, name: 'Wrong', settings: { param_1: 'one', custom: { custom_param: 0.5 } } };
    expect(refused((await system.admin.ask(ask.StartDocument, { input: wrong })).createJob)).toEqual({
      code: 'INVALID_INPUT',
      issues: expect.arrayContaining(['settings.param_1', 'settings.custom.custom_param']),
    });
  });

  test(`b3: command-line overrides: --param_3 '{"k":"v"}' --custom.custom_param 5`, async () => {
    const [projectId, applicationId] = [await openProject(), await defineSettings()];
    const settings = { param_1: -1, param_2: 'Param2 not provided', param_3: { k: 'v' }, custom: { custom_param: 5 } };
    const sources = { param_1: 'DEFAULT', param_2: 'DEFAULT', 'param_3.k': 'OVERRIDE', 'custom.custom_param': 'OVERRIDE' };
    const settingsOverrides = [
      { path: 'param_3', value: { k: 'v' } },
      { path: 'custom.custom_param', value: 5 },
    ];
    const given = { param_3: { replaced: true }, custom: { custom_param: 4 } };
    const { job } = await start({ projectId, applicationId, settings: given, settingsOverrides });
    expect(job).toMatchObject({ settings, settingsWarnings: [], settingsSources: sources });

    const flags = ['--project', projectId, '--application', applicationId, '--name', 'By command line'];
    const overrides = ['--param_3', '{"k":"v"}', '--custom.custom_param', '5'];
    const environment = { TRAINYARD_URL: system.gateway.url, TRAINYARD_TOKEN: system.gateway.adminKey };
    const submitted = await runCommand(createFolder('submit'), ['submit', ...flags, ...overrides, '--', 'true'], environment);
    expect(submitted).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^job_\w+\n$/) });
    const { job: made } = await system.admin.ask(ask.InitDocument, { id: submitted.stdout.trim() });
    expect(made).toMatchObject({ name: 'By command line', settings });

    const wrong = { projectId, applicationId, name: 'Wrong', settingsOverrides: [...settingsOverrides, { path: 'param_1', value: 'one' }] };
    expect(refused((await system.admin.ask(ask.StartDocument, { input: wrong })).createJob)).toEqual({
      ...{ code: 'INVALID_INPUT', issues: ['settingsOverrides.2.value'] },
    });
  });

  test('b4: upload_job_output: an OUTPUT fragment output.json with output, settings, items, environment, keys masked', async () => {
    const projectId = await openProject();
    const { job, own } = await start({
      projectId,
      settings: { rate: 0.1, storage: { api_key: 'sk-1', bucket: 'b' } },
      items: [
        { name: 'epochs', value: '3', valueType: 'INT' },
        { name: 'hub_token', value: 'hf_1' },
      ],
      container: {
        command: 'true',
        env: [
          { name: 'SEED', value: '7' },
          { name: 'AWS_SECRET_ACCESS_KEY', value: 'aws-1' },
        ],
      },
    });
    const output = {
      accuracy: 0.9,
      confusion: [
        [9, 1],
        [0, 10],
      ],
    };
    const { fragment } = done((await own.ask(ask.UploadJobOutputDocument, { jobId: job.id, output })).setJobOutput);
    expect(fragment).toMatchObject({ filename: 'output.json', type: 'OUTPUT' });
    const document = {
      output,
      settings: { rate: 0.1, storage: { api_key: '***', bucket: 'b' } },
      items: { epochs: 3, hub_token: '***' },
      environment: { SEED: '7', AWS_SECRET_ACCESS_KEY: '***' },
    };
    expect(JSON.parse(fragment.text ?? '')).toEqual(document);
    const { job: read } = await own.ask(ask.ReadArtifactDocument, { jobId: job.id, filename: 'output.json' });
    expect(await (await system.get(read?.latestFragment?.downloadUrl)).json()).toEqual(document);

    // Each run uploads again: the newest is kept.
    const better = { accuracy: 0.95 };
    done((await own.ask(ask.UploadJobOutputDocument, { jobId: job.id, output: better })).setJobOutput);
    const { job: again } = await own.ask(ask.ReadArtifactDocument, { jobId: job.id, filename: 'output.json' });
    expect(JSON.parse(again?.latestFragment?.text ?? '')).toEqual({ ...document, output: better });
    expect((await own.ask(ask.ListArtifactsDocument, { jobId: job.id })).job?.fragments.nodes).toEqual([
      { filename: 'output.json', type: 'OUTPUT', status: 'READY' },
    ]);
  });

  test('b5: temp_path, artifact_path; io.write_file, read_file', async () => {
    const projectId = await openProject();
    const first = [
      'pwd',
      'echo Valuable information > something_i_want_to_save_temporarily.txt',
      'cat something_i_want_to_save_temporarily.txt',
      'echo Valuable information > "$TRAINYARD_FRAGMENTS/something_i_want_to_save.txt"',
    ].join(' && ');
    const second = 'test ! -e something_i_want_to_save_temporarily.txt && cat "$TRAINYARD_SETTINGS"';
    const steps = [first, second].map((command) => ({ name: 'Run', container: { command } }));
    const { job, own } = await start({ projectId, steps, settings: { param_1: 1 } });

    // The job's key announces a file from outside and puts it at the answered address.
    const announced = done((await own.ask(ask.WriteArtifactDocument, { jobId: job.id, filename: 'big.bin' })).createFragment);
    expect(announced.fragment.status).toBe('PENDING');
    expect((await system.put(announced.uploadUrl, new Uint8Array([0, 255, 1]))).status).toBe(200);
    const big = (await own.ask(ask.ReadArtifactDocument, { jobId: job.id, filename: 'big.bin' })).job?.latestFragment;
    expect(new Uint8Array(await (await system.get(big?.downloadUrl)).arrayBuffer())).toEqual(new Uint8Array([0, 255, 1]));

    const agent = system.startAgent(['--name', 'machine', '--project', projectId]);
    const read = async () =>
      (await system.admin.ask(ask.ReadArtifactDocument, { jobId: job.id, filename: 'something_i_want_to_save.txt' })).job;
    await eventually(async () => expect((await read())?.status, agent.output()).toBe('SUCCEEDED'), { timeout: 40_000 });
    expect((await read())?.latestFragment).toMatchObject({ type: 'DATA', status: 'READY', text: 'Valuable information\n' });

    const { job: ended } = await system.admin.ask(ask.ListArtifactsDocument, { jobId: job.id });
    expect(ended?.fragments.nodes.map(({ filename }) => filename)).toEqual(['something_i_want_to_save.txt', 'big.bin']);
    const [temporary = '', valuable] = (ended?.steps[0]?.logTail ?? '').split('\n');
    expect(valuable).toBe('Valuable information');
    expect(temporary.startsWith(agent.workDir)).toBe(true);
    expect(JSON.parse(ended?.steps[1]?.logTail ?? '')).toEqual({ settings: { param_1: 1 }, items: {} });
    // The folder is removed with the step; the artifact stays.
    await eventually(() => expect(existsSync(temporary)).toBe(false));
    await eventually(() => expect(readdirSync(join(agent.workDir, 'steps'))).toEqual([]));
  });
});
