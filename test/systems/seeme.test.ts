/** What SeeMe's client and its agents do, done by the operations in docs/moving/seeme.md. */
import { expect, test } from 'vitest';
import { CreateProjectDocument } from '../../src/client/generated.ts';
import * as ask from './generated.ts';
import { nameStatuses } from './statuses.ts';
import { describeSystem, done, refused } from './system.ts';

const now = () => expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describeSystem('SeeMe', (system) => {
  let names = 0;
  const openProject = async () =>
    done((await system.admin.ask(CreateProjectDocument, { input: { name: 'Cats and dogs' } })).createProject).project.id;
  const addApplication = async (input: Omit<ask.CreateApplicationInput, 'name'> = {}) => {
    const result = await system.admin.ask(ask.AddApplicationDocument, { input: { name: `Classification ${names++}`, ...input } });
    return done(result.createApplication).application;
  };
  const create = async (input: ask.CreateJobInput) => (await system.admin.ask(ask.CreateJobDocument, { input })).createJob;
  const created = async (input: Omit<ask.CreateJobInput, 'name'>) => done(await create({ name: 'Train', ...input })).job;
  const getJob = async (id: string) => {
    const { job } = await system.admin.ask(ask.GetJobDocument, { id });
    if (!job) throw new Error('The job is gone.');
    return job;
  };
  const handle = async (jobId: string, agent = system.admin) =>
    done((await agent.ask(ask.HandleDocument, { jobId })).claimStep).lease.token;
  const finish = async (leaseToken: string) => done((await system.admin.ask(ask.FinishDocument, { leaseToken })).completeStep).job;
  const uploadModel = async (jobId: string, leaseToken: string, text: string) => {
    const result = await system.admin.ask(ask.UploadModelDocument, { jobId, leaseToken, filename: 'model.pt', text });
    return done(result.createFragment).fragment.id;
  };
  /** Runs a job to its end, with this model as its output. */
  const train = async (input: Omit<ask.CreateJobInput, 'name'>, model: string) => {
    const job = await created(input);
    const leaseToken = await handle(job.id);
    const fragmentId = await uploadModel(job.id, leaseToken, model);
    await finish(leaseToken);
    return { fragmentId, job: await getJob(job.id) };
  };

  test('s1: get_jobs(application_id, states, job_types)', async () => {
    const projectId = await openProject();
    const [application, other] = [await addApplication(), await addApplication()];
    const [training, validation, finished, elsewhere] = [
      await created({ projectId, applicationId: application.id }),
      await created({ projectId, applicationId: application.id, type: 'VALIDATION' }),
      await created({ projectId, applicationId: application.id }),
      await created({ projectId, applicationId: other.id, type: 'CONVERSION' }),
    ];
    await finish(await handle(finished.id));
    await handle(validation.id);
    const getJobs = async (variables: ask.GetJobsQueryVariables) =>
      (await system.admin.ask(ask.GetJobsDocument, variables)).jobs.nodes.map(({ id }) => id);
    const applicationId = application.id;
    expect(await getJobs({ applicationId })).toEqual([finished.id, validation.id, training.id]);
    expect(await getJobs({ applicationId: other.id })).toEqual([elsewhere.id]);
    expect(await getJobs({ applicationId, types: ['TRAINING'] })).toEqual([finished.id, training.id]);
    expect(await getJobs({ applicationId, statuses: ['BLOCKED', 'QUEUED'] })).toEqual([training.id]);
    expect(await getJobs({ applicationId, statuses: ['RUNNING', 'SUSPENDED', 'CANCELLING'] })).toEqual([validation.id]);
    expect(await getJobs({ applicationId, statuses: ['SUCCEEDED'], types: ['TRAINING', 'VALIDATION'] })).toEqual([finished.id]);
    expect(await getJobs({ applicationId, statuses: ['FAILED', 'CANCELLED'] })).toEqual([]);
  });

  test('s2: create_job(Job(items=[JobItem…]))', async () => {
    const projectId = await openProject();
    const definitions = [
      { name: 'image_size', valueType: 'NUMBER' as const, label: 'Image Size', defaultValue: '128' },
      { name: 'arch', valueType: 'TEXT' as const, label: 'Architecture' },
      { name: 'batch_size', valueType: 'NUMBER' as const, label: 'Batch size' },
    ];
    const application = await addApplication({ itemDefinitions: definitions });
    const input = {
      ...{
        projectId,
        name: 'Train a new model for cats and dogs',
        description: '',
        type: 'TRAINING' as const,
        applicationId: application.id,
      },
      ...{ datasetId: '8037b73a-5512-4a45-89e2-29761771fff6', datasetVersionId: '1d3bf8d6-e39b-498e-9c08-680d2f8a3c47' },
      items: [
        { name: 'image_size', value: '224', valueType: 'NUMBER' as const, label: 'Image Size' },
        { name: 'arch', value: 'resnet50', valueType: 'TEXT' as const, label: 'Architecture' },
        { name: 'batch_size', value: '50.0', valueType: 'NUMBER' as const, label: 'Batch size' },
      ],
    };
    const { job } = done(await create(input));
    const item = { id: expect.stringMatching(/^item_/), description: null, createdAt: now(), updatedAt: now(), job: { id: job.id } };
    expect(job).toEqual({
      ...{ id: expect.stringMatching(/^job_/), name: input.name, description: '', type: 'TRAINING', status: 'QUEUED', statusMessage: null },
      ...{ owner: expect.stringMatching(/./), agentName: null, application: { id: application.id } },
      computeTime: { cpuStartedAt: null, cpuEndedAt: null, gpuStartedAt: null, gpuEndedAt: null },
      ...{ datasetId: input.datasetId, datasetVersionId: input.datasetVersionId },
      ...{ model: null, modelVersion: null, startModelVersion: null, startModel: null, createdAt: now(), updatedAt: now() },
      items: [
        { ...item, ...input.items[0], typedValue: 224, defaultValue: '128' },
        { ...item, ...input.items[1], typedValue: 'resnet50', defaultValue: null },
        { ...item, ...input.items[2], value: '50', typedValue: 50, defaultValue: null },
      ],
    });
    expect(await getJob(job.id)).toEqual({ ...job, nativeStatus: 'WAITING' });

    // Every type in its one spelling. Without an application, any item is accepted.
    const typed = await created({
      projectId,
      items: [
        { name: 'i', value: '+007', valueType: 'INT' },
        { name: 'f', value: '1e-3', valueType: 'FLOAT' },
        { name: 'b', value: 'true', valueType: 'BOOL' },
        { name: 'm', value: 'adam', valueType: 'MULTI' },
        { name: 'l', value: '["cat", "dog"]', valueType: 'STRING_ARRAY' },
      ],
    });
    expect(typed.items.map(({ value, typedValue }) => [value, typedValue])).toEqual([
      ...[
        ['7', 7],
        ['0.001', 0.001],
        ['true', true],
        ['adam', 'adam'],
        ['["cat","dog"]', ['cat', 'dog']],
      ],
    ]);
    const wrong = [
      { name: 'i', value: '2.5', valueType: 'INT' as const },
      { name: 'b', value: 'yes', valueType: 'BOOL' as const },
      { name: 'l', value: 'cat', valueType: 'STRING_ARRAY' as const },
    ];
    expect(refused(await create({ projectId, name: 'Wrong', items: wrong }))).toEqual({
      ...{ code: 'INVALID_INPUT', issues: ['items.0.value', 'items.1.value', 'items.2.value'] },
    });
  });

  test('s3: get_job, update_job, delete_job', async () => {
    const projectId = await openProject();
    const job = await created({ projectId });
    expect(await getJob(job.id)).toEqual({ ...job, nativeStatus: 'WAITING' });
    const update = async (input: Omit<ask.UpdateJobInput, 'jobId'>) =>
      (await system.admin.ask(ask.UpdateJobDocument, { input: { jobId: job.id, ...input } })).updateJob;
    const updated = done(await update({ description: 'Update any property', expectedUpdatedAt: job.updatedAt })).job;
    expect(updated).toEqual({ ...job, description: 'Update any property', updatedAt: now() });
    expect(updated.updatedAt > job.updatedAt).toBe(true);
    expect(await getJob(job.id)).toEqual({ ...updated, nativeStatus: 'WAITING' });
    // A caller that has not seen the change does not undo it.
    expect(refused(await update({ description: 'Mine', expectedUpdatedAt: job.updatedAt }))).toMatchObject({ code: 'INVALID_STATE' });
    expect((await getJob(job.id)).description).toBe('Update any property');

    const remove = async () => (await system.admin.ask(ask.DeleteJobDocument, { id: job.id })).deleteJob;
    expect(refused(await remove())).toMatchObject({ code: 'INVALID_STATE', status: 'QUEUED' });
    expect(done((await system.admin.ask(ask.CancelJobDocument, { id: job.id })).cancelJob).job.status).toBe('CANCELLED');
    expect(done(await remove())).toMatchObject({ deletedJobId: job.id });
    expect(await system.admin.ask(ask.GetJobDocument, { id: job.id })).toEqual({ job: null });
    expect(refused(await remove())).toEqual({ code: 'NOT_FOUND' });
  });

  test('s4: cpu/gpu start and end time, agent_name, status_message "updated by the agent"', async () => {
    const projectId = await openProject();
    const job = await created({ projectId });
    const registered = await system.admin.ask(ask.RegisterAgentDocument, { projectId, name: 'agent-7' });
    const agent = system.as(done(registered.registerDevice).apiKey ?? '');
    const leaseToken = await handle(job.id, agent);
    expect(await getJob(job.id)).toMatchObject({ status: 'RUNNING', nativeStatus: 'STARTED', agentName: 'agent-7', statusMessage: null });

    const report = async (statusMessage: string | null, computeTime: ask.ComputeTimeInput) =>
      done((await agent.ask(ask.ReportStatusDocument, { leaseToken, statusMessage, computeTime })).reportProgress);
    const [cpuStartedAt, gpuStartedAt] = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z'];
    await report('Epoch 1 of 3', { cpuStartedAt, gpuStartedAt });
    const started = { cpuStartedAt, gpuStartedAt, cpuEndedAt: null, gpuEndedAt: null };
    expect(await getJob(job.id)).toMatchObject({ statusMessage: 'Epoch 1 of 3', computeTime: started });
    const [cpuEndedAt, gpuEndedAt] = ['2026-01-01T01:00:00.000Z', '2026-01-01T00:59:00.000Z'];
    await report(null, { cpuEndedAt, gpuEndedAt });
    const ended = { cpuStartedAt, gpuStartedAt, cpuEndedAt, gpuEndedAt };
    expect(await getJob(job.id)).toMatchObject({ statusMessage: 'Epoch 1 of 3', computeTime: ended });

    expect(await finish(leaseToken)).toMatchObject({ status: 'SUCCEEDED' });
    expect(await getJob(job.id)).toMatchObject({ nativeStatus: 'FINISHED', agentName: 'agent-7', computeTime: ended });
    const late = (await agent.ask(ask.ReportStatusDocument, { leaseToken, statusMessage: 'late' })).reportProgress;
    expect(refused(late)).toEqual({ code: 'STALE_LEASE' });
  });

  test('s5: model_id: the model the finished job is added to; left blank, a new model', async () => {
    const projectId = await openProject();
    const first = await train({ projectId }, 'weights 1');
    const modelId = first.job.model?.id ?? '';
    expect(first.job).toMatchObject({
      model: { id: expect.stringMatching(/^model_/) },
      modelVersion: { id: expect.stringMatching(/^mver_/) },
    });
    const versionsOf = async (id: string) => (await system.admin.ask(ask.GetModelDocument, { id })).model?.versions.nodes;
    const version = (run: typeof first, number: number) => ({
      ...{ id: run.job.modelVersion?.id, number, job: { id: run.job.id } },
      fragment: { id: run.fragmentId, filename: 'model.pt', downloadUrl: expect.stringContaining(`/fragments/${run.fragmentId}`) },
    });
    expect(await versionsOf(modelId)).toEqual([version(first, 1)]);
    const second = await train({ projectId, modelId }, 'weights 2');
    expect(second.job.model?.id).toBe(modelId);
    expect(await versionsOf(modelId)).toEqual([version(second, 2), version(first, 1)]);
    const [newest] = (await versionsOf(modelId)) ?? [];
    expect(await (await system.get(newest?.fragment.downloadUrl)).text()).toBe('weights 2');
    const third = await train({ projectId }, 'weights 3');
    expect(third.job.model?.id).not.toBe(modelId);

    // A failed job makes no model, and neither does one that is not a training.
    const failing = await created({ projectId, modelId });
    const leaseToken = await handle(failing.id);
    await uploadModel(failing.id, leaseToken, 'half of the weights');
    done((await system.admin.ask(ask.GiveUpDocument, { leaseToken, description: 'no more memory' })).failStep);
    expect(await getJob(failing.id)).toMatchObject({ nativeStatus: 'ERROR', model: { id: modelId }, modelVersion: null });
    expect((await train({ projectId, type: 'CONVERSION' }, 'converted')).job).toMatchObject({ model: null, modelVersion: null });
    expect(await versionsOf(modelId)).toHaveLength(2);
    const elsewhere = await create({ projectId: await openProject(), name: 'Elsewhere', modelId });
    expect(refused(elsewhere)).toEqual({ code: 'INVALID_INPUT', issues: ['modelId'] });
  });

  test('s6: start_model_version_id needs continual_training support', async () => {
    const projectId = await openProject();
    const [able, unable] = [await addApplication({ supportsContinualTraining: true }), await addApplication()];
    const { job, fragmentId } = await train({ projectId, applicationId: unable.id }, 'weights');
    const startModelVersionId = job.modelVersion?.id ?? '';
    const start = (input: Partial<ask.CreateJobInput>) => create({ projectId, name: 'Go on', startModelVersionId, ...input });
    const going = done(await start({ applicationId: able.id })).job;
    expect(going).toMatchObject({ startModelVersion: { id: startModelVersionId }, startModel: { id: fragmentId } });
    const isRefused = { code: 'INVALID_INPUT', issues: ['startModelVersionId'] };
    expect(refused(await start({ applicationId: unable.id }))).toEqual(isRefused);
    expect(refused(await start({}))).toEqual(isRefused);
    expect(refused(await start({ applicationId: able.id, startModelVersionId: 'mver_00000000000000000000000000' }))).toEqual(isRefused);
    expect(refused(await start({ applicationId: able.id, projectId: await openProject() }))).toEqual(isRefused);
  });

  test('s7: supported job items per application', async () => {
    const projectId = await openProject();
    const whole = { label: null, description: null, defaultValue: null, options: [], isRequired: false };
    const itemDefinitions = [
      {
        ...whole,
        name: 'arch',
        valueType: 'MULTI' as const,
        defaultValue: 'resnet50',
        options: ['resnet18', 'resnet50'],
        label: 'Architecture',
      },
      { ...whole, name: 'epochs', valueType: 'INT' as const, isRequired: true, description: 'How often all images are seen.' },
      { ...whole, name: 'rate', valueType: 'FLOAT' as const, defaultValue: '0.1' },
      { ...whole, name: 'note', valueType: 'TEXT' as const },
    ];
    const application = await addApplication({ itemDefinitions });
    expect(application).toMatchObject({ supportsContinualTraining: false, itemDefinitions });
    expect((await system.admin.ask(ask.GetApplicationsDocument, {})).applications.nodes).toContainEqual(application);

    const input = { projectId, name: 'Train', applicationId: application.id };
    const job = await created({ ...input, items: [{ name: 'epochs', value: '3' }] });
    expect(job.items.map(({ name, label, value, typedValue, valueType }) => ({ name, label, value, typedValue, valueType }))).toEqual([
      { name: 'arch', label: 'Architecture', value: 'resnet50', typedValue: 'resnet50', valueType: 'MULTI' },
      { name: 'epochs', label: null, value: '3', typedValue: 3, valueType: 'INT' },
      { name: 'rate', label: null, value: '0.1', typedValue: 0.1, valueType: 'FLOAT' },
    ]);
    const pathsOf = async (items: ask.JobItemInput[]) => refused(await create({ ...input, items }));
    expect(await pathsOf([])).toEqual({ code: 'INVALID_INPUT', issues: ['items'] });
    const wrong = [
      { name: 'epochs', value: 'three' },
      { name: 'arch', value: 'vgg' },
      { name: 'rate', value: '0.2', valueType: 'BOOL' as const },
      { name: 'unheard_of', value: '1' },
    ];
    expect(await pathsOf(wrong)).toEqual({
      code: 'INVALID_INPUT',
      issues: expect.arrayContaining(['items.0.value', 'items.1.value', 'items.2.valueType', 'items.3.name']),
    });

    // The definitions themselves are checked, too.
    const definitions = [
      { name: 'a', valueType: 'INT' as const, defaultValue: 'many' },
      { name: 'b', valueType: 'MULTI' as const, options: ['x'], defaultValue: 'y' },
    ];
    const result = await system.admin.ask(ask.AddApplicationDocument, { input: { name: 'Wrong', itemDefinitions: definitions } });
    expect(refused(result.createApplication)).toEqual({
      ...{ code: 'INVALID_INPUT', issues: ['itemDefinitions.0.defaultValue', 'itemDefinitions.1.defaultValue'] },
    });
    const again = await system.admin.ask(ask.AddApplicationDocument, { input: { name: application.name } });
    expect(refused(again.createApplication)).toEqual({ code: 'ALREADY_EXISTS', existingId: application.id });
  });

  test('statuses: in the words of SeeMe', async () => {
    expect(await nameStatuses(system, 'SEEME')).toEqual({
      BLOCKED: 'WAITING',
      QUEUED: 'WAITING',
      RUNNING: 'STARTED',
      SUSPENDED: 'STARTED',
      CANCELLING: 'STARTED',
      SUCCEEDED: 'FINISHED',
      FAILED: 'ERROR',
      CANCELLED: 'ERROR',
    });
  });
});
