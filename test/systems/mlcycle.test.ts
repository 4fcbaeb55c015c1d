/** What mlcycle's client does, done by the operations in docs/moving/mlcycle.md. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { eventually } from '../agent/eventually.ts';
import * as ask from './generated.ts';
import { stepsOf } from './mlcycle-steps.ts';
import { nameStatuses } from './statuses.ts';
import { type Caller, describeSystem, done, next, refused } from './system.ts';

const now = () => expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describeSystem('mlcycle', (system) => {
  const { addProject, trigger, claim, complete, createPipeline, statusesOf, addWorker } = stepsOf(system);

  test('m1: Jobs.get_all, get_by_id, add_steps, add_metrics, trigger', async () => {
    const project = await addProject();
    const { job, token } = done((await system.admin.ask(ask.TriggerDocument, { projectId: project.id })).triggerJob);
    expect(job).toEqual({
      id: expect.stringMatching(/^job_/),
      initiator: 'MANUAL',
      status: 'QUEUED',
      project: { id: project.id },
      steps: [{ number: 0, name: 'Bootstrap', status: 'QUEUED' }],
    });
    expect(token).toMatch(/^tyk_/);
    const nowhere = 'proj_00000000000000000000000000';
    expect(refused((await system.admin.ask(ask.TriggerDocument, { projectId: nowhere })).triggerJob)).toEqual({ code: 'NOT_FOUND' });

    const { jobs } = await system.admin.ask(ask.GetAllJobsDocument, { filter: { projectId: project.id } });
    const known = { id: job.id, initiator: 'MANUAL', createdAt: now(), project, finishedAt: null };
    expect(jobs).toEqual({
      nodes: [{ ...known, status: 'QUEUED', steps: [{ number: 0, name: 'Bootstrap', status: 'QUEUED' }] }],
      pageInfo: { hasNextPage: false, endCursor: expect.any(String) },
    });

    const steps = [{ name: 'Train', container: { command: 'python train/train.py' } }];
    const added = done((await system.admin.ask(ask.AddStepsDocument, { input: { jobId: job.id, steps } })).addSteps);
    expect(added).toMatchObject({
      steps: [{ number: 1, name: 'Train', status: 'BLOCKED' }],
      job: { id: job.id, status: 'QUEUED', steps: [{ number: 0 }, { number: 1 }] },
    });

    await complete((await claim(job.id)).lease.token);
    const { lease } = await claim(job.id, 1);
    const metrics = [
      { name: 'Loss', value: 0.11768476468261843, iteration: 1 },
      { name: 'Accuracy', value: 0.9822, iteration: 1 },
    ];
    const reported = done((await system.admin.ask(ask.AddMetricsDocument, { leaseToken: lease.token, metrics })).reportMetrics);
    expect(reported.accepted).toBe(2);
    expect(reported.step.number).toBe(1);
    expect(new Set(reported.step.metrics)).toEqual(new Set(metrics));

    const { job: train } = await system.admin.ask(ask.GetJobByIdDocument, { id: job.id });
    const docker = { command: 'python train/train.py', image: null, build: null, properties: {} };
    expect(train).toEqual({
      ...{ ...known, status: 'RUNNING' },
      steps: [
        {
          ...{ number: 0, name: 'Bootstrap', status: 'SUCCEEDED', startedAt: now(), finishedAt: now() },
          ...{ container: null, metrics: [], fragments: { nodes: [] } },
        },
        {
          ...{
            number: 1,
            name: 'Train',
            status: 'RUNNING',
            startedAt: now(),
            finishedAt: null,
            container: docker,
            fragments: { nodes: [] },
          },
          metrics: expect.arrayContaining(metrics.map(({ name, value }) => ({ name, value }))),
        },
      ],
    });

    await complete(lease.token);
    expect(refused((await system.admin.ask(ask.AddMetricsDocument, { leaseToken: lease.token, metrics })).reportMetrics)).toEqual({
      code: 'STALE_LEASE',
    });
    expect(refused((await system.admin.ask(ask.AddStepsDocument, { input: { jobId: job.id, steps } })).addSteps)).toEqual({
      ...{ code: 'INVALID_STATE', status: 'SUCCEEDED' },
      allowed: ['BLOCKED', 'QUEUED', 'RUNNING', 'SUSPENDED'],
    });
  });

  test('m2: Scheduler.get_pending, claim, complete, error', async () => {
    const project = await addProject();
    const [first, second] = [await trigger(project.id), await trigger(project.id)];
    const pending = async () =>
      (await system.admin.ask(ask.GetPendingDocument, { filter: { projectId: project.id } })).claimableSteps.nodes;
    const bootstrapOf = (id: string) => ({
      ...{ number: 0, name: 'Bootstrap', status: 'QUEUED' },
      job: { id, initiator: 'MANUAL', createdAt: now(), project: { id: project.id } },
    });
    expect(await pending()).toEqual([bootstrapOf(first.id), bootstrapOf(second.id)]);

    const { device, caller } = await addWorker(project.id);
    const claimed = await claim(first.id, 0, caller);
    expect(claimed).toMatchObject({
      lease: { token: expect.stringMatching(/^lease_/), attempt: 1, expiresAt: now() },
      step: {
        ...{ number: 0, name: 'Bootstrap', status: 'RUNNING', job: { id: first.id, status: 'RUNNING' } },
        attempts: [{ number: 1, outcome: 'RUNNING', device: { id: device.id, name: 'Worker 1' } }],
      },
    });
    expect(await pending()).toEqual([bootstrapOf(second.id)]);
    const again = { jobId: first.id, stepNumber: 0 };
    expect(refused((await system.admin.ask(ask.ClaimDocument, again)).claimStep)).toEqual({
      ...{ code: 'INVALID_STATE', status: 'RUNNING', allowed: ['QUEUED'] },
    });
    expect(refused((await system.admin.ask(ask.ClaimDocument, { ...again, stepNumber: 7 })).claimStep)).toEqual({ code: 'NOT_FOUND' });

    expect(await complete(claimed.lease.token)).toMatchObject({
      step: { number: 0, status: 'SUCCEEDED' },
      job: { id: first.id, status: 'SUCCEEDED' },
    });
    const late = (await system.admin.ask(ask.CompleteDocument, { leaseToken: claimed.lease.token })).completeStep;
    expect(refused(late)).toEqual({ code: 'STALE_LEASE' });

    const { lease } = await claim(second.id);
    const failed = await system.admin.ask(ask.ErrorDocument, { leaseToken: lease.token, description: 'no data', exitCode: 2 });
    expect(done(failed.failStep)).toMatchObject({ step: { number: 0, status: 'FAILED' }, job: { id: second.id, status: 'FAILED' } });
    expect(await pending()).toEqual([]);
  });

  test('m3: get_pending as a long poll', async () => {
    const project = await addProject();
    const { device, caller } = await addWorker(project.id);
    const other = (await addWorker(project.id, 'Worker 2')).caller;
    const take = async (worker: Caller, waitSeconds: number) =>
      done((await worker.ask(ask.ClaimNextDocument, { input: { waitSeconds } })).claimNextSteps).claims;
    const counts = caller.watch(ask.PendingCountDocument, { deviceId: device.id });
    expect(await next(counts)).toBe(0);

    const waiting = take(caller, 50);
    // It has waited a second without an answer when the second caller already has one: that there
    // is nothing.
    const began = performance.now();
    expect(await take(other, 1)).toEqual([]);
    expect(performance.now() - began).toBeGreaterThanOrEqual(950);
    const job = await trigger(project.id);
    expect(await waiting).toEqual([
      {
        lease: { token: expect.stringMatching(/^lease_/), attempt: 1 },
        step: { number: 0, name: 'Bootstrap', job: { id: job.id } },
      },
    ]);
    expect(performance.now() - began).toBeLessThan(40_000);

    // Its one slot is taken until this step ends.
    await trigger(project.id);
    await complete((await waiting)[0]?.lease.token ?? '');
    expect(await next(counts, (count) => count === 1)).toBe(1);
    expect(await take(caller, 0)).toHaveLength(1);
    expect(await next(counts, (count) => count === 0)).toBe(0);
  });

  test('m4: Fragments.get_all_by_job, get_all_by_step, get_latest_by_job, get_latest_by_project, get_by_id, upload', async () => {
    const project = await addProject();
    const job = await createPipeline(project.id, ['Bootstrap', 'Train']);
    const upload = async (jobId: string, stepNumber: number, filename: string, type: 'BUILD_LOGS' | 'MODEL', bytes: string) => {
      const input = { jobId, stepNumber, filename, type, name: filename.replace(/\..*$/, '') };
      const { fragment, uploadUrl } = done((await system.admin.ask(ask.UploadDocument, { input })).createFragment);
      expect(fragment).toMatchObject({ status: 'PENDING', downloadUrl: null });
      expect((await system.put(uploadUrl, bytes)).status).toBe(200);
      return fragment.id;
    };
    const log = await upload(job.id, 0, '0_console.log', 'BUILD_LOGS', 'Step 0\n');
    const model = await upload(job.id, 1, 'model.bin', 'MODEL', '\u0000\u0001');
    const described = (id: string, number: number, filename: string, type: string, sizeBytes: number, jobId = job.id) => ({
      ...{ id, filename, name: filename.replace(/\..*$/, ''), type, status: 'READY', createdAt: now(), sizeBytes },
      ...{ downloadUrl: expect.stringContaining(`/fragments/${id}`), step: { number }, job: { id: jobId } },
    });
    const logFragment = described(log, 0, '0_console.log', 'BUILD_LOGS', 7);
    const modelFragment = described(model, 1, 'model.bin', 'MODEL', 2);

    const ofJob = await system.admin.ask(ask.GetFragmentsOfJobDocument, { jobId: job.id });
    expect(ofJob.job?.fragments.nodes).toEqual([modelFragment, logFragment]);
    const models = await system.admin.ask(ask.GetFragmentsOfJobDocument, { jobId: job.id, filter: { types: ['MODEL'] } });
    expect(models.job?.fragments.nodes).toEqual([modelFragment]);
    const ofStep = await system.admin.ask(ask.GetFragmentsOfStepDocument, { jobId: job.id, stepNumber: 0 });
    expect(ofStep.job?.step?.fragments.nodes).toEqual([logFragment]);

    const { fragment } = await system.admin.ask(ask.GetFragmentByIdDocument, { id: log });
    expect(fragment).toEqual(logFragment);
    expect(await (await system.get(fragment?.downloadUrl)).text()).toBe('Step 0\n');
    const latest = await system.admin.ask(ask.GetLatestOfJobDocument, { jobId: job.id, filename: 'MODEL.bin' });
    expect(latest.job?.latestFragment).toEqual(modelFragment);
    expect((await system.admin.ask(ask.GetLatestOfJobDocument, { jobId: job.id, filename: 'none' })).job?.latestFragment).toBeNull();

    const latestOfProject = async () =>
      (await system.admin.ask(ask.GetLatestOfProjectDocument, { projectId: project.id, filename: 'model.bin' })).project?.latestFragment;
    expect(await latestOfProject()).toBeNull();
    for (const number of [0, 1]) await complete((await claim(job.id, number)).lease.token);
    expect(await latestOfProject()).toEqual(modelFragment);
    const newer = await createPipeline(project.id, ['Train']);
    const newerModel = await upload(newer.id, 0, 'model.bin', 'MODEL', 'newer');
    expect((await latestOfProject())?.id).toBe(model);
    await complete((await claim(newer.id)).lease.token);
    expect(await latestOfProject()).toEqual(described(newerModel, 0, 'model.bin', 'MODEL', 5, newer.id));
    expect(await (await system.get((await latestOfProject())?.downloadUrl)).text()).toBe('newer');
  });

  test('m5: Projects and Workers: get_all, get_by_id, add, update, delete', async () => {
    const project = await addProject('new Project');
    expect(project).toEqual({
      ...{ id: expect.stringMatching(/^proj_/), name: 'new Project', gitRepository: 'https://github.com/cemizm/tf-benchmark-gpu.git' },
    });
    const nameless = (await system.admin.ask(ask.AddProjectDocument, { input: { name: ' ' } })).createProject;
    expect(refused(nameless)).toEqual({ code: 'INVALID_INPUT', issues: ['name'] });
    expect((await system.admin.ask(ask.GetAllProjectsDocument, {})).projects.nodes).toContainEqual(project);
    const updated = { ...project, name: 'updated Project' };
    const change = await system.admin.ask(ask.UpdateProjectDocument, { input: { projectId: project.id, name: 'updated Project' } });
    expect(done(change.updateProject)).toMatchObject({ project: updated });
    expect(await system.admin.ask(ask.GetProjectByIdDocument, { id: project.id })).toEqual({ project: updated });

    const { device } = await addWorker(project.id, 'new Worker');
    expect(device).toEqual({ id: expect.stringMatching(/^dev_/), name: 'new Worker', status: 'ONLINE' });
    const renamed = { ...device, name: 'updated worker' };
    const rename = await system.admin.ask(ask.UpdateWorkerDocument, { input: { deviceId: device.id, name: 'updated worker' } });
    expect(done(rename.updateDevice)).toMatchObject({ device: renamed });
    expect(await system.admin.ask(ask.GetWorkerByIdDocument, { id: device.id })).toEqual({ device: renamed });
    const workers = await system.admin.ask(ask.GetAllWorkersDocument, { filter: { projectId: project.id } });
    expect(workers.devices.nodes).toEqual([renamed]);
    const gone = await system.admin.ask(ask.DeleteWorkerDocument, { id: device.id });
    expect(done(gone.deleteDevice)).toMatchObject({ deletedDeviceId: device.id });
    expect(await system.admin.ask(ask.GetWorkerByIdDocument, { id: device.id })).toEqual({ device: null });
    expect(refused((await system.admin.ask(ask.DeleteWorkerDocument, { id: device.id })).deleteDevice)).toEqual({ code: 'NOT_FOUND' });

    const job = await trigger(project.id);
    const kept = (await system.admin.ask(ask.DeleteProjectDocument, { id: project.id })).deleteProject;
    expect(refused(kept)).toMatchObject({ code: 'INVALID_STATE' });
    await complete((await claim(job.id)).lease.token);
    const deleted = (await system.admin.ask(ask.DeleteProjectDocument, { id: project.id })).deleteProject;
    expect(done(deleted)).toMatchObject({ deletedProjectId: project.id });
    expect(await system.admin.ask(ask.GetProjectByIdDocument, { id: project.id })).toEqual({ project: null });
    expect(await system.admin.ask(ask.GetJobByIdDocument, { id: job.id })).toEqual({ job: null });
  });

  test('m6: DockerConfiguration: command, image, build_configuration{context, dockerfile, properties}, properties', async () => {
    const project = await addProject();
    const built = {
      command: 'python train/train.py',
      build: { context: 'train/', dockerfile: 'dockerfile', properties: { base: 'tf:2', layers: 3 } },
      properties: { shm_size: '1g' },
    };
    const pulled = { command: 'python eval.py', image: 'tensorflow/tensorflow:2.16.1' };
    const input = { projectId: project.id, name: 'Docker', steps: [built, pulled].map((container) => ({ name: 'Train', container })) };
    const { job } = done((await system.admin.ask(ask.CreatePipelineDocument, { input })).createJob);
    const docker = [
      { ...built, image: null },
      { ...pulled, build: null, properties: {} },
    ];
    expect(job.steps.map(({ container }) => container)).toEqual(docker);
    const read = (await system.admin.ask(ask.GetJobByIdDocument, { id: job.id })).job;
    expect(read?.steps.map(({ container }) => container)).toEqual(docker);

    const both = { ...input, steps: [{ name: 'Train', container: { ...built, image: 'tensorflow/tensorflow' } }] };
    expect(refused((await system.admin.ask(ask.CreatePipelineDocument, { input: both })).createJob)).toEqual({
      ...{ code: 'INVALID_INPUT', issues: ['steps.0.container.build'] },
    });
  });

  test('m7: a step ends: the next one is scheduled; the last: the job is done; an error: the job is in error', async () => {
    const project = await addProject();
    const job = await createPipeline(project.id, ['Bootstrap', 'Train', 'Evaluate']);
    expect(await statusesOf(job.id)).toEqual(['QUEUED', 'QUEUED', 'BLOCKED', 'BLOCKED']);
    const early = (await system.admin.ask(ask.ClaimDocument, { jobId: job.id, stepNumber: 1 })).claimStep;
    expect(refused(early)).toEqual({ code: 'INVALID_STATE', status: 'BLOCKED', allowed: ['QUEUED'] });
    await complete((await claim(job.id, 0)).lease.token);
    expect(await statusesOf(job.id)).toEqual(['RUNNING', 'SUCCEEDED', 'QUEUED', 'BLOCKED']);
    await complete((await claim(job.id, 1)).lease.token);
    expect(await statusesOf(job.id)).toEqual(['RUNNING', 'SUCCEEDED', 'SUCCEEDED', 'QUEUED']);
    await complete((await claim(job.id, 2)).lease.token);
    expect(await statusesOf(job.id)).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);

    const other = await createPipeline(project.id, ['Bootstrap', 'Train', 'Evaluate']);
    await complete((await claim(other.id, 0)).lease.token);
    const { lease } = await claim(other.id, 1);
    done((await system.admin.ask(ask.ErrorDocument, { leaseToken: lease.token })).failStep);
    expect(await statusesOf(other.id)).toEqual(['FAILED', 'SUCCEEDED', 'FAILED', 'SKIPPED']);
  });

  test("m8: a filename is used once in a job: ALREADY_EXISTS with the fragment's id; case does not matter", async () => {
    const project = await addProject();
    const job = await createPipeline(project.id, ['Bootstrap', 'Train']);
    const upload = async (jobId: string, stepNumber: number, filename: string) => {
      const input = { jobId, stepNumber, filename, type: 'DATA' as const, text: filename };
      return (await system.admin.ask(ask.UploadDocument, { input })).createFragment;
    };
    const { fragment } = done(await upload(job.id, 0, 'Model.bin'));
    expect(fragment).toMatchObject({ filename: 'Model.bin', status: 'READY' });
    for (const [number, filename] of [
      [0, 'Model.bin'],
      [1, 'Model.bin'],
      [1, 'mODEL.BIN'],
    ] as const) {
      expect(refused(await upload(job.id, number, filename))).toEqual({ code: 'ALREADY_EXISTS', existingId: fragment.id });
    }
    const { job: read } = await system.admin.ask(ask.GetFragmentsOfJobDocument, { jobId: job.id });
    expect(read?.fragments.nodes.map(({ id }) => id)).toEqual([fragment.id]);
    done(await upload((await createPipeline(project.id, ['Bootstrap'])).id, 0, 'model.bin'));
  });

  test('m9: a worker is handed host, project, job and step by environment', async () => {
    const project = await addProject();
    const commands = ['true', `${process.execPath} ${fileURLToPath(new URL('who-am-i.ts', import.meta.url))}`];
    const input = {
      projectId: project.id,
      name: 'Who am I?',
      steps: commands.map((command) => ({ name: 'Say it', container: { command } })),
    };
    const { job } = done((await system.admin.ask(ask.CreatePipelineDocument, { input })).createJob);
    const agent = system.startAgent(['--name', 'worker-1', '--project', project.id]);
    const read = () => system.admin.ask(ask.GetConsoleDocument, { jobId: job.id, stepNumber: 1 });
    await eventually(async () => expect((await read()).job?.status, agent.output()).toBe('SUCCEEDED'), { timeout: 40_000 });
    const said = JSON.parse((await read()).job?.step?.logTail ?? '');
    expect(said).toEqual({
      environment: {
        TRAINYARD_URL: system.gateway.url,
        // The step has the token; its output masks it.
        TRAINYARD_TOKEN: '***',
        TRAINYARD_PROJECT_ID: project.id,
        TRAINYARD_JOB_ID: job.id,
        TRAINYARD_STEP_NUMBER: '1',
      },
      // The token is a key, for this job.
      viewer: { kind: 'JOB', job: { id: job.id }, project: { id: project.id } },
    });
  });

  test('statuses: in the numbers of mlcycle', async () => {
    expect(await nameStatuses(system, 'MLCYCLE')).toEqual({
      BLOCKED: '0',
      QUEUED: '21',
      RUNNING: '1',
      SUSPENDED: '21',
      CANCELLING: '1',
      SUCCEEDED: '2',
      FAILED: '31',
      CANCELLED: '31',
    });
  });
});
