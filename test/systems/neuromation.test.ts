/** What neuromation's client does, done by the operations in docs/moving/neuromation.md. */
import { expect, test } from 'vitest';
import { CreateProjectDocument } from '../../src/client/generated.ts';
import { eventually } from '../agent/eventually.ts';
import { placeDocker } from './docker.ts';
import * as ask from './generated.ts';
import { nameStatuses } from './statuses.ts';
import { type Caller, describeSystem, done, next, refused } from './system.ts';

const now = () => expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const noResources = { memoryMb: null, cpu: null, gpu: null, gpuModel: null, shm: false };
const emptyContainer = { image: null, entrypoint: null, command: null, env: [], volumes: [], http: null, resources: noResources };

describeSystem('neuromation', (system) => {
  const openProject = async () =>
    done((await system.admin.ask(CreateProjectDocument, { input: { name: 'A cluster' } })).createProject).project.id;
  const run = async (input: ask.CreateJobInput) => done((await system.admin.ask(ask.RunDocument, { input })).createJob).job;
  const read = async (id: string) => {
    const { job } = await system.admin.ask(ask.StatusDocument, { id });
    if (!job) throw new Error('The job is gone.');
    return job;
  };
  const join = async (projectId: string, name: string, resources: ask.ResourcesInput = {}) => {
    const joined = done((await system.admin.ask(ask.JoinDocument, { input: { projectId, name, resources } })).registerDevice);
    return { id: joined.device.id, machine: system.as(joined.apiKey ?? '') };
  };
  const take = async (machine: Caller, waitSeconds = 0) => {
    const { claims } = done((await machine.ask(ask.TakeDocument, { waitSeconds })).claimNextSteps);
    return claims[0];
  };
  const taken = async (machine: Caller) => {
    const claim = await take(machine);
    if (!claim) throw new Error('There was nothing to take.');
    return { leaseToken: claim.lease.token, jobId: claim.step.job.id };
  };

  test('n1: Jobs.run(container, name, description, is_preemptible, schedule_timeout)', async () => {
    const projectId = await openProject();
    const input = {
      ...{ projectId, name: 'train', description: 'ResNet on cats', isPreemptible: true, scheduleTimeoutSeconds: 1.5 },
      container: { image: 'python:3.12', command: 'python train.py' },
    };
    const { job, token } = done((await system.admin.ask(ask.RunDocument, { input })).createJob);
    expect(token).toMatch(/^tyk_/);
    expect(job).toMatchObject({
      ...{ id: expect.stringMatching(/^job_/), name: 'train', description: 'ResNet on cats', status: 'QUEUED', owner: expect.any(String) },
      ...{ isPreemptible: true, scheduleTimeoutSeconds: 1.5 },
      container: { ...emptyContainer, image: 'python:3.12', command: 'python train.py' },
    });
    const plain = await run({ projectId, name: 'plain', container: { image: 'python:3.12' } });
    expect(plain).toMatchObject({ description: null, isPreemptible: false, scheduleTimeoutSeconds: null });

    // There is no device: the job is reported as not schedulable at its timeout, not earlier.
    await eventually(async () => expect((await read(job.id)).status).toBe('FAILED'));
    const { history } = await read(job.id);
    expect(history).toMatchObject({ status: 'FAILED', reason: 'SCHEDULE_TIMEOUT', exitCode: null, startedAt: null });
    expect(Date.parse(history.finishedAt ?? '') - Date.parse(history.createdAt)).toBeGreaterThanOrEqual(1_500);
    expect((await read(plain.id)).status).toBe('QUEUED');

    const wrong = { projectId, name: '', scheduleTimeoutSeconds: 0, container: { resources: { cpu: -1 } } };
    expect(refused((await system.admin.ask(ask.RunDocument, { input: wrong })).createJob)).toEqual({
      code: 'INVALID_INPUT',
      issues: expect.arrayContaining(['name', 'scheduleTimeoutSeconds', 'container.resources.cpu']),
    });
  });

  test('n2: Jobs.list(statuses, name)', async () => {
    const projectId = await openProject();
    const [first, second, other] = [
      await run({ projectId, name: 'train', container: { image: 'a' } }),
      await run({ projectId, name: 'train', container: { image: 'b' } }),
      await run({ projectId, name: 'train-more', container: { image: 'c' } }),
    ];
    const { machine } = await join(projectId, 'machine');
    expect((await taken(machine)).jobId).toBe(first.id);
    const list = async (filter: ask.JobFilter) => {
      const { jobs } = await system.admin.ask(ask.ListDocument, { filter: { projectId, ...filter } });
      return jobs.nodes.map(({ id }) => id);
    };
    expect(await list({})).toEqual([other.id, second.id, first.id]);
    expect(await list({ statuses: ['RUNNING'] })).toEqual([first.id]);
    expect(await list({ statuses: ['QUEUED', 'RUNNING'], name: 'train' })).toEqual([second.id, first.id]);
    expect(await list({ name: 'trai' })).toEqual([]);
    expect(await list({ nameContains: 'more' })).toEqual([other.id]);
    expect(await list({ statuses: ['SUCCEEDED', 'FAILED'] })).toEqual([]);
  });

  test('n3: Container: image, resources, entrypoint, command, http, env, volumes', async () => {
    const projectId = await openProject();
    const container = {
      image: 'python:3.12',
      entrypoint: 'python3 -u',
      command: `train.py --name "a b"`,
      env: [{ name: 'SEED', value: '7' }],
      volumes: [
        { storage: '/data', containerPath: '/in', isReadOnly: true },
        { storage: 'cache', containerPath: '/cache', isReadOnly: false },
      ],
      http: { port: 8080, requiresAuth: false },
      resources: { memoryMb: 512, cpu: 0.5, gpu: null, gpuModel: null, shm: true },
    };
    const job = await run({ projectId, name: 'train', container });
    expect((await read(job.id)).container).toEqual(container);

    const docker = placeDocker();
    const agent = system.startAgent(['--name', 'machine', '--project', projectId], { path: docker.path });
    await eventually(async () => expect((await read(job.id)).status, agent.output()).toBe('SUCCEEDED'), { timeout: 40_000 });
    const [call, ...more] = docker.calls('run');
    expect(more).toEqual([]);
    expect(call?.args).toEqual([
      ...['run', '--init', expect.stringMatching(/^--name=trainyard-step_\w+-1$/)],
      ...[`--label=trainyard.job=${job.id}`, '--label=trainyard.step=0', '--label=trainyard.attempt=1'],
      expect.stringMatching(/^--mount=type=bind,source=.+\/work,target=\/trainyard$/),
      expect.stringMatching(/^--env-file=.+\/environment$/),
      ...['--mount=type=bind,source=/data,target=/in,readonly', '--mount=type=volume,source=cache,target=/cache'],
      // The gateway listens on the machine's loopback address, so the container shares the
      // machine's network and the port.
      ...['--network=host', '--cpus=0.5', '--memory=512m', '--shm-size=512m'],
      ...['--entrypoint=python3', '--', 'python:3.12', '-u', 'train.py', '--name', 'a b'],
    ]);
    // Values of variables are neither on the command line, which every user can read, nor in the
    // environment of docker itself.
    const names = ['URL', 'TOKEN', 'PROJECT_ID', 'JOB_ID', 'STEP_NUMBER', 'ATTEMPT', 'METRICS', 'FRAGMENTS', 'SETTINGS'];
    expect(call?.given.map((line) => line.split('=')[0])).toEqual(
      expect.arrayContaining(['SEED', ...names.map((name) => `TRAINYARD_${name}`)]),
    );
    expect(call?.given).toEqual(expect.arrayContaining(['SEED=7', expect.stringMatching(/^TRAINYARD_TOKEN=lease_/)]));
    for (const { own } of ['version', 'image', 'run', 'inspect', 'rm'].flatMap(docker.calls)) {
      expect(own).not.toContain('SEED');
      expect(own).not.toContain('TRAINYARD_TOKEN');
    }

    const wrong = {
      ...container,
      env: [{ name: '1SEED', value: '' }],
      volumes: [{ storage: 'cache', containerPath: 'cache' }],
      http: { port: 70_000 },
    };
    expect(refused((await system.admin.ask(ask.RunDocument, { input: { projectId, name: 'wrong', container: wrong } })).createJob)).toEqual(
      {
        code: 'INVALID_INPUT',
        issues: ['container.env.0.name', 'container.volumes.0.containerPath', 'container.http.port'],
      },
    );
  });

  test('n4: JobDescription: id, owner, status, history, container, is_preemptible, name, description, http_url, ssh_server, internal_hostname', async () => {
    const projectId = await openProject();
    const { id } = await run({
      projectId,
      name: 'serve',
      description: 'A notebook',
      container: { image: 'jupyter', http: { port: 8888 } },
    });
    const description = {
      ...{ id, owner: expect.stringMatching(/./), status: 'QUEUED', name: 'serve', description: 'A notebook', isPreemptible: false },
      history: { status: 'QUEUED', reason: 'CREATED', exitCode: null, createdAt: now(), startedAt: null, finishedAt: null },
      container: { ...emptyContainer, image: 'jupyter', http: { port: 8888, requiresAuth: true } },
      ...{ scheduleTimeoutSeconds: null, httpUrl: null, sshServer: null, internalHostname: null, nativeStatus: 'PENDING' },
    };
    expect(await read(id)).toMatchObject(description);

    const { machine } = await join(projectId, 'machine');
    const { leaseToken } = await taken(machine);
    const addresses = { httpUrl: 'http://10.0.0.7:49152', sshServer: 'ssh://10.0.0.7:22', internalHostname: 'job-7.internal' };
    done((await machine.ask(ask.ReportDocument, { input: { leaseToken, ...addresses } })).reportProgress);
    expect(await read(id)).toMatchObject({
      ...description,
      ...{ ...addresses, status: 'RUNNING', nativeStatus: 'RUNNING' },
      history: { status: 'RUNNING', reason: 'CLAIMED', startedAt: now(), finishedAt: null },
    });
    const wrong = (await machine.ask(ask.ReportDocument, { input: { leaseToken, httpUrl: 'javascript:alert(1)' } })).reportProgress;
    expect(refused(wrong)).toEqual({ code: 'INVALID_INPUT', issues: ['httpUrl'] });

    expect(done((await system.admin.ask(ask.KillDocument, { id, reason: 'enough' })).cancelJob).job.status).toBe('CANCELLING');
    expect(done((await machine.ask(ask.RenewDocument, { leaseToken })).renewLease)).toMatchObject({ isCancelRequested: true });
    done((await machine.ask(ask.ReleaseDocument, { leaseToken })).releaseStep);
    expect(await read(id)).toMatchObject({ status: 'CANCELLED', nativeStatus: 'CANCELLED' });
  });

  test('n5: JobStatusHistory: status, reason, description, exit_code, created_at, started_at, finished_at', async () => {
    const projectId = await openProject();
    const { machine } = await join(projectId, 'machine');
    const good = await run({ projectId, name: 'good', container: { image: 'a' } });
    const statuses = system.admin.watch(ask.WatchStatusDocument, { id: good.id });
    const { leaseToken } = await taken(machine);
    done((await machine.ask(ask.SucceedDocument, { leaseToken })).completeStep);
    const { history } = await read(good.id);
    expect(history).toMatchObject({
      status: 'SUCCEEDED',
      reason: 'COMPLETED',
      exitCode: 0,
      createdAt: now(),
      startedAt: now(),
      finishedAt: now(),
    });
    expect(history.transitions).toMatchObject([
      { from: null, to: 'QUEUED', reason: 'CREATED', description: '', exitCode: null, at: history.createdAt },
      { from: 'QUEUED', to: 'RUNNING', reason: 'CLAIMED', exitCode: null, actor: 'device:machine', at: history.startedAt },
      { from: 'RUNNING', to: 'SUCCEEDED', reason: 'COMPLETED', exitCode: 0, actor: 'device:machine', at: history.finishedAt },
    ]);

    const seen = [];
    for await (const { transitions } of statuses) seen.push(...transitions.map(({ to }) => to));
    expect(seen).toEqual(['QUEUED', 'RUNNING', 'SUCCEEDED']);

    const bad = await run({ projectId, name: 'bad', container: { image: 'a' } });
    const failing = { leaseToken: (await taken(machine)).leaseToken, reason: 'EXIT_CODE' as const, exitCode: 137, description: 'killed' };
    done((await machine.ask(ask.FailDocument, { input: failing })).failStep);
    expect((await read(bad.id)).history).toMatchObject({ status: 'FAILED', exitCode: 137, description: expect.stringContaining('killed') });

    const missing = await run({ projectId, name: 'missing', container: { image: 'no/such' } });
    const pulling = {
      leaseToken: (await taken(machine)).leaseToken,
      reason: 'IMAGE_PULL_FAILED' as const,
      description: 'no/such is not there',
    };
    done((await machine.ask(ask.FailDocument, { input: pulling })).failStep);
    expect((await read(missing.id)).history).toMatchObject({
      ...{ status: 'FAILED', reason: 'IMAGE_PULL_FAILED', description: 'no/such is not there', exitCode: null },
    });
  });

  test('n6: JobTelemetry (top): timestamp, cpu, memory, gpu_duty_cycle, gpu_memory', async () => {
    const projectId = await openProject();
    const { id } = await run({ projectId, name: 'train', container: { image: 'a' } });
    const { machine } = await join(projectId, 'machine');
    const { leaseToken } = await taken(machine);
    const top = system.admin.watch(ask.TopDocument, { id });
    expect(await next(top)).toMatchObject({ state: 'LIVE', samples: [] });

    const samples = [0, 1, 2, 3].map((second) => ({
      ...{ at: `2026-01-01T00:00:0${second}.000Z`, cpu: 0.5 + second, memoryMb: 100.25, gpuDutyCycle: second * 25, gpuMemory: 0.5 },
    }));
    const cpuOnly = { at: '2026-01-01T00:00:09.000Z', cpu: 1, memoryMb: 64 };
    done((await machine.ask(ask.ReportDocument, { input: { leaseToken, telemetry: [...samples, cpuOnly] } })).reportProgress);
    const stored = [...samples, { ...cpuOnly, gpuDutyCycle: null, gpuMemory: null }];
    expect((await next(top)).samples).toEqual(stored);

    const all = (await system.admin.ask(ask.TelemetryDocument, { id })).job;
    expect(all).toEqual({ latestTelemetry: stored.at(-1), telemetry: stored });
    const span = { id, from: '2026-01-01T00:00:01.000Z', to: '2026-01-01T00:00:03.000Z' };
    expect((await system.admin.ask(ask.TelemetryDocument, span)).job?.telemetry).toEqual(samples.slice(1, 3));
    expect((await system.admin.ask(ask.TelemetryDocument, { id, maxPoints: 3 })).job?.telemetry.length).toBeLessThanOrEqual(3);

    const impossible = [
      { cpu: -1, memoryMb: 1 },
      { cpu: 1, memoryMb: 1, gpuDutyCycle: 101 },
      { cpu: 1, memoryMb: 1, gpuMemory: 1.5 },
    ];
    const wrong = (await machine.ask(ask.ReportDocument, { input: { leaseToken, telemetry: impossible } })).reportProgress;
    expect(refused(wrong)).toEqual({
      ...{ code: 'INVALID_INPUT', issues: ['telemetry.0.cpu', 'telemetry.1.gpuDutyCycle', 'telemetry.2.gpuMemory'] },
    });
  });

  test('n7: Resources: memory_mb, cpu, gpu, gpu_model, shm: a device is offered a step only if it has them', async () => {
    const projectId = await openProject();
    const asked = { memoryMb: 2048, cpu: 1.5, gpu: 2, gpuModel: 'A100', shm: true };
    const { id } = await run({ projectId, name: 'train', container: { image: 'a', resources: asked } });
    const lacking = {
      memoryMb: await join(projectId, 'memoryMb', { ...asked, memoryMb: 2047 }),
      cpu: await join(projectId, 'cpu', { ...asked, cpu: 1.4 }),
      gpu: await join(projectId, 'gpu', { ...asked, gpu: 1 }),
      gpuModel: await join(projectId, 'gpuModel', { ...asked, gpuModel: 'V100' }),
      shm: await join(projectId, 'shm', { ...asked, shm: false }),
    };
    for (const { machine } of Object.values(lacking)) expect(await take(machine)).toBeUndefined();
    const step = (await system.admin.ask(ask.WhyPendingDocument, { id })).job?.step;
    expect(step).toMatchObject({ status: 'QUEUED', resources: asked });
    expect(new Set(step?.whyNot)).toEqual(new Set(Object.keys(lacking).map((name) => ({ device: { name }, requirement: name }))));

    // Exactly enough is enough, but only once: another step cannot have what the first holds.
    const enough = await system.admin.ask(ask.JoinDocument, { input: { projectId, name: 'enough', resources: asked, slots: 2 } });
    const machine = system.as(done(enough.registerDevice).apiKey ?? '');
    expect((await taken(machine)).jobId).toBe(id);
    await run({ projectId, name: 'train too', container: { image: 'a', resources: { gpu: 1 } } });
    expect(await take(machine)).toBeUndefined();
    const small = await run({ projectId, name: 'small', container: { image: 'a', resources: { shm: true } } });
    expect((await taken(machine)).jobId).toBe(small.id);
  });

  test('n8: preemption: a non-preemptible step with nowhere to run takes the place of a preemptible one of lower or equal priority', async () => {
    const projectId = await openProject();
    const { machine } = await join(projectId, 'machine');
    const container = { image: 'a' };
    const night = await run({ projectId, name: 'night', container, isPreemptible: true, priority: 1 });
    const { leaseToken } = await taken(machine);
    const renew = async (leaseToken: string) => done((await machine.ask(ask.RenewDocument, { leaseToken })).renewLease).isPreempted;
    const stepOf = async (id: string) => (await system.admin.ask(ask.AttemptsDocument, { id })).job?.steps[0];

    // A preemptible step does not evict it, and neither does one of lower priority.
    const polite = await run({ projectId, name: 'polite', container, isPreemptible: true, priority: 1 });
    const lower = await run({ projectId, name: 'lower', container, priority: 0 });
    const day = await run({ projectId, name: 'day', container, priority: 1 });
    await eventually(async () => expect(await renew(leaseToken)).toBe(true));
    expect(await stepOf(night.id)).toMatchObject({ status: 'RUNNING', attempts: [{ number: 1, outcome: 'RUNNING' }] });
    // The device holds the step until it gives it back. Then the slot is reserved for the step it
    // was freed for, even if another waits longer.
    expect(await take(machine)).toBeUndefined();
    const { step } = done((await machine.ask(ask.ReleaseDocument, { leaseToken })).releaseStep);
    expect(step).toEqual({ status: 'QUEUED', attempts: [{ number: 1, outcome: 'PREEMPTED' }], job: { status: 'SUSPENDED' } });
    expect(await read(night.id)).toMatchObject({ status: 'SUSPENDED', nativeStatus: 'SUSPENDED' });
    for (const { id } of [day, polite, night, lower]) {
      const turn = await taken(machine);
      expect(turn.jobId).toBe(id);
      done((await machine.ask(ask.SucceedDocument, turn)).completeStep);
    }

    // The eviction does not count as an attempt. Its history shows for which step it was.
    expect(await stepOf(night.id)).toMatchObject({
      status: 'SUCCEEDED',
      attempts: [{ outcome: 'PREEMPTED', reason: 'PREEMPTED' }, { outcome: 'SUCCEEDED' }],
    });
    const { transitions } = (await read(night.id)).history;
    expect(transitions.map(({ to }) => to)).toEqual(['QUEUED', 'RUNNING', 'SUSPENDED', 'RUNNING', 'SUCCEEDED']);
    expect(transitions[2]).toMatchObject({ reason: 'PREEMPTED', description: expect.stringContaining(day.id) });
    expect((await read(day.id)).history.transitions[1]).toMatchObject({ to: 'RUNNING', description: expect.stringContaining(night.id) });
  });

  test('statuses: in the words of neuromation', async () => {
    expect(await nameStatuses(system, 'NEUROMATION')).toEqual({
      BLOCKED: 'PENDING',
      QUEUED: 'PENDING',
      RUNNING: 'RUNNING',
      SUSPENDED: 'SUSPENDED',
      CANCELLING: 'RUNNING',
      SUCCEEDED: 'SUCCEEDED',
      FAILED: 'FAILED',
      CANCELLED: 'CANCELLED',
    });
  });
});
