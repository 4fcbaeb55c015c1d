import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed, type SeededDevice } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

type Result<P> = P & { __typename: string; code?: string; message?: string };
const refusal = '... on Error { code message }';

const mutation = (name: string, payload: string) => {
  const type = name.charAt(0).toUpperCase() + name.slice(1);
  return `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename ... on ${type}Payload { ${payload} } ${refusal} } }`;
};

describeOnEachStore('a job', (open) => {
  let seed: Seed;
  let ask: Ask;
  let device: SeededDevice;
  let asDevice: Ask;
  const run = async <P>(as: Ask, name: string, payload: string, input: Record<string, unknown>) =>
    (await as<Record<string, Result<P>>>(mutation(name, payload), { input }))[name] as Result<P>; // asked for under this name

  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    device = await seed.registerDevice({ name: 'gpu-1', labels: [{ key: 'room', value: '7' }] });
    asDevice = askAs(seed.domain, device.principal);
  });

  describe('that is created with everything', () => {
    const input = {
      name: 'Everything',
      description: 'All that can be said.',
      type: 'VALIDATION',
      initiator: 'GIT',
      items: [
        { name: 'rate', value: '.50', valueType: 'FLOAT' },
        { name: 'tags', defaultValue: '["a","b"]', valueType: 'STRING_ARRAY' },
      ],
      settings: { custom: { depth: 3 } },
      settingsOverrides: [{ path: 'custom.width', value: 5 }],
      steps: [
        {
          name: 'prepare',
          container: { image: 'python:3', command: 'python prepare.py', resources: { cpu: 1 } },
          requiredLabels: [{ key: 'room', value: '7' }],
        },
        { name: 'train', resources: { memoryMb: 512 }, maxAttempts: 2 },
      ],
      priority: 3,
      labels: [{ key: 'team', value: 'vision' }],
      scheduleTimeoutSeconds: 60.5,
      datasetId: 'mnist',
    };
    const details = `name description type initiator status owner priority labels { key value } isPreemptible scheduleTimeoutSeconds runTimeoutSeconds
      settings settingsWarnings output datasetId datasetVersionId agentName billableBytes
      project { id } device { id } container { image } computeTime { cpuStartedAt }
      items { name value typedValue valueType defaultValue job { id } } item(name: "rate") { typedValue } nothing: item(name: "none") { id }
      steps { number name status maxAttempts container { image command } resources { cpu memoryMb } requiredLabels { key value } pinnedDevice { id } attempts { number } job { id } }
      step(number: 1) { name } none: step(number: 2) { name }
      history { status reason description transitions { from to reason actor } }
      metrics { name } latestTelemetry { cpu } telemetry { cpu } metricSeries(name: "loss") { name totalPoints points { value } }
      fragments { totalCount } startedAt finishedAt`;

    test('is read back with everything', async () => {
      const created = await run<{ job: { id: string }; token: string; isReplay: boolean }>(ask, 'createJob', 'job { id } token isReplay', {
        projectId: seed.project.id,
        ...input,
      });
      expect(created).toMatchObject({ __typename: 'CreateJobPayload', isReplay: false, token: expect.stringMatching(/^tyk_/) });
      const { job } = await ask<{ job: Record<string, unknown> }>(`query ($id: ID!) { job(id: $id) { ${details} } }`, {
        id: created.job.id,
      });
      expect(job).toMatchObject({
        name: 'Everything',
        status: 'QUEUED',
        owner: 'user:admin',
        type: 'VALIDATION',
        initiator: 'GIT',
        priority: 3,
        labels: input.labels,
        scheduleTimeoutSeconds: 60.5,
        runTimeoutSeconds: null,
        settings: { custom: { depth: 3, width: 5 } },
        output: null,
        billableBytes: 0,
        project: { id: seed.project.id },
        device: null,
        agentName: null,
        items: [
          { name: 'rate', value: '0.5', typedValue: 0.5, valueType: 'FLOAT', defaultValue: null, job: { id: created.job.id } },
          { name: 'tags', value: '["a","b"]', typedValue: ['a', 'b'], defaultValue: '["a","b"]' },
        ],
        item: { typedValue: 0.5 },
        nothing: null,
        steps: [
          {
            number: 0,
            name: 'prepare',
            status: 'QUEUED',
            maxAttempts: 1,
            container: { image: 'python:3', command: 'python prepare.py' },
            resources: { cpu: 1, memoryMb: null },
            requiredLabels: [{ key: 'room', value: '7' }],
            pinnedDevice: null,
            attempts: [],
            job: { id: created.job.id },
          },
          { number: 1, name: 'train', status: 'BLOCKED', maxAttempts: 2, container: null, resources: { memoryMb: 512 } },
        ],
        step: { name: 'train' },
        none: null,
        history: {
          status: 'QUEUED',
          reason: 'CREATED',
          transitions: [{ from: null, to: 'QUEUED', reason: 'CREATED', actor: 'user:admin' }],
        },
        metrics: [],
        latestTelemetry: null,
        telemetry: [],
        metricSeries: { name: 'loss', totalPoints: 0, points: [] },
        fragments: { totalCount: 0 },
      });
    });
  });

  describe('that runs', () => {
    let jobId: string;
    let lease: { token: string; attempt: number; expiresAt: string };

    beforeEach(async () => {
      const { job } = await seed.createJob(2);
      jobId = job.id;
      const claimed = await run<{ step: { status: string }; lease: typeof lease }>(
        asDevice,
        'claimStep',
        'step { status job { status device { name } agentName } attempts { number outcome device { id } step { number } } } lease { token attempt expiresAt }',
        { jobId, stepNumber: 0 },
      );
      expect(claimed).toMatchObject({
        step: {
          status: 'RUNNING',
          job: { status: 'RUNNING', device: { name: 'gpu-1' }, agentName: 'gpu-1' },
          attempts: [{ number: 1, outcome: 'RUNNING', device: { id: device.device.id }, step: { number: 0 } }],
        },
        lease: { attempt: 1 },
      });
      lease = claimed.lease;
    });

    test('accepts reports, and shows the newest values', async () => {
      const reported = await run(asDevice, 'reportProgress', 'lease { attempt } nextLogOffset isCancelRequested isPreempted isDraining', {
        leaseToken: lease.token,
        statusMessage: 'epoch 2 of 3',
        metrics: [
          { name: 'loss', value: 0.5, iteration: 1 },
          { name: 'loss', value: 0.25, iteration: 2 },
          { name: 'accuracy', value: 0.9 },
        ],
        telemetry: [
          { cpu: 1.5, memoryMb: 100, at: '2026-01-01T00:00:00Z' },
          { cpu: 0.5, memoryMb: 200, gpuDutyCycle: 50, at: '2026-01-01T00:00:02Z' },
        ],
        log: [
          { offset: 0, text: 'one\ntwo\n' },
          { offset: 8, text: 'thrée\n', stream: 'STDERR' },
        ],
        httpUrl: 'https://run.example/1',
        computeTime: { gpuStartedAt: '2026-01-01T00:00:01.500Z' },
      });
      expect(reported).toMatchObject({ nextLogOffset: 15, isCancelRequested: false, isPreempted: false, isDraining: false });

      const { job } = await ask<{ job: unknown }>(
        `query ($id: ID!) { job(id: $id) {
          statusMessage httpUrl computeTime { cpuStartedAt gpuStartedAt }
          metrics { name value iteration attempt step { number } } some: metrics(names: ["loss", "none"]) { name }
          latestTelemetry { cpu memoryMb gpuDutyCycle gpuMemory stepNumber attempt }
          telemetry { cpu } late: telemetry(from: "2026-01-01T00:00:02Z") { cpu } early: telemetry(to: "2026-01-01T00:00:02Z") { cpu }
          step(number: 0) {
            statusMessage metrics(names: ["loss"]) { value } logTail tail: logTail(lines: 2)
            log(first: 1) { chunks { text stream offset attempt stepNumber cursor } hasMore endCursor }
          }
          other: step(number: 1) { metrics { name } logTail log { chunks { text } hasMore endCursor } }
        } }`,
        { id: jobId },
      );
      expect(job).toMatchObject({
        statusMessage: 'epoch 2 of 3',
        httpUrl: 'https://run.example/1',
        computeTime: { cpuStartedAt: null, gpuStartedAt: '2026-01-01T00:00:01.500Z' },
        metrics: [
          { name: 'accuracy', value: 0.9, iteration: null, attempt: 1, step: { number: 0 } },
          { name: 'loss', value: 0.25, iteration: 2, attempt: 1, step: { number: 0 } },
        ],
        some: [{ name: 'loss' }],
        latestTelemetry: { cpu: 0.5, memoryMb: 200, gpuDutyCycle: 50, gpuMemory: null, stepNumber: 0, attempt: 1 },
        telemetry: [{ cpu: 1.5 }, { cpu: 0.5 }],
        late: [{ cpu: 0.5 }],
        early: [{ cpu: 1.5 }],
        step: {
          statusMessage: 'epoch 2 of 3',
          metrics: [{ value: 0.25 }],
          logTail: 'one\ntwo\nthrée\n',
          tail: 'two\nthrée\n',
          log: { chunks: [{ text: 'one\ntwo\n', stream: 'STDOUT', offset: 0, attempt: 1, stepNumber: 0 }], hasMore: true },
        },
        other: { metrics: [], logTail: '', log: { chunks: [], hasMore: false, endCursor: null } },
      });
    });

    test('is completed step by step, and each payload shows the new state', async () => {
      const completed = await run(
        asDevice,
        'completeStep',
        'step { status attempts { outcome exitCode } } job { status steps { status } }',
        {
          leaseToken: lease.token,
        },
      );
      expect(completed).toMatchObject({
        __typename: 'CompleteStepPayload',
        step: { status: 'SUCCEEDED', attempts: [{ outcome: 'SUCCEEDED', exitCode: 0 }] },
        job: { status: 'RUNNING', steps: [{ status: 'SUCCEEDED' }, { status: 'QUEUED' }] },
      });
      const { claimNextSteps: next } = await asDevice<{
        claimNextSteps: { claims: { lease: { token: string }; step: { number: number } }[] };
      }>(mutation('claimNextSteps', 'claims { step { number job { id } } lease { token } }'), {
        input: { limit: 1, projectId: seed.project.id },
      });
      expect(next.claims).toHaveLength(1);
    });

    test('shows every change of a step, its creation first', async () => {
      await run(asDevice, 'releaseStep', 'step { status }', { leaseToken: lease.token, description: 'No disk.' });
      const { job } = await ask<{ job: unknown }>(
        `query ($id: ID!) { job(id: $id) { steps { transitions { from to reason description actor cursor } } } }`,
        { id: jobId },
      );
      expect(job).toMatchObject({
        steps: [
          {
            transitions: [
              { from: null, to: 'QUEUED', reason: 'CREATED', actor: 'user:admin' },
              { from: 'QUEUED', to: 'RUNNING', reason: 'CLAIMED', actor: device.principal.name },
              { from: 'RUNNING', to: 'QUEUED', reason: 'RELEASED', description: expect.stringContaining('No disk.') },
            ],
          },
          { transitions: [{ from: null, to: 'BLOCKED', reason: 'BLOCKED_BY_STEP' }] },
        ],
      });
    });

    test('refuses a lease that is no longer current, and shows the step as it is (P3)', async () => {
      await run(asDevice, 'failStep', 'step { status }', { leaseToken: lease.token, exitCode: 2, reason: 'EXIT_CODE' });
      const { reportMetrics: refused } = await asDevice<{ reportMetrics: unknown }>(
        `mutation ($input: ReportMetricsInput!) { reportMetrics(input: $input) { ${refusal} ... on StaleLeaseError { step { status job { status history { reason exitCode } } } } } }`,
        { input: { leaseToken: lease.token, metrics: [{ name: 'loss', value: 1 }] } },
      );
      expect(refused).toMatchObject({
        code: 'STALE_LEASE',
        step: { status: 'FAILED', job: { status: 'FAILED', history: { exitCode: 2 } } },
      });
    });

    test('is cancelled and deleted, and then not found', async () => {
      expect(await run(ask, 'deleteJob', 'deletedJobId', { jobId })).toMatchObject({ code: 'INVALID_STATE' });
      const cancelled = await run(ask, 'cancelJob', 'job { status steps { status } }', { jobId, reason: 'Enough.' });
      expect(cancelled).toMatchObject({ job: { status: 'CANCELLING', steps: [{ status: 'CANCELLING' }, { status: 'SKIPPED' }] } });
      expect(await run(asDevice, 'renewLease', 'isCancelRequested cancelReason', { leaseToken: lease.token })).toMatchObject({
        isCancelRequested: true,
        cancelReason: 'Enough.',
      });
      expect(await run(asDevice, 'releaseStep', 'step { status job { status } }', { leaseToken: lease.token })).toMatchObject({
        step: { status: 'CANCELLED', job: { status: 'CANCELLED' } },
      });
      expect(await run(ask, 'deleteJob', 'deletedJobId', { jobId })).toMatchObject({ deletedJobId: jobId });
      expect(await ask('query ($id: ID!) { job(id: $id) { id } node(id: $id) { id } }', { id: jobId })).toEqual({ job: null, node: null });
    });

    test('gets more steps, is updated, and is run again as a new job', async () => {
      const added = await run(ask, 'addSteps', 'job { steps { number name } } steps { number status transitions { to } }', {
        jobId,
        steps: [{ name: 'evaluate' }],
      });
      expect(added).toMatchObject({
        job: { steps: [{}, {}, { number: 2, name: 'evaluate' }] },
        steps: [{ number: 2, transitions: [{ to: 'BLOCKED' }] }],
      });
      const updated = await run(ask, 'updateJob', 'job { name priority }', { jobId, name: 'Renamed', priority: 9 });
      expect(updated).toMatchObject({ job: { name: 'Renamed', priority: 9 } });
      await cancelJob(seed.domain, admin, { jobId, cancelTimeoutSeconds: 0 });
      const again = await run<{ job: { id: string } }>(ask, 'retryJob', 'job { id status steps { name } } isReplay', { jobId });
      expect(again).toMatchObject({ isReplay: false, job: { status: 'QUEUED' } });
      expect(again.job.id).not.toBe(jobId);
    });
  });

  test('is completed together with others, each by itself (P3)', async () => {
    const many = await seed.registerDevice({ name: 'many', slots: 100, labels: [{ key: 'for', value: 'many' }] });
    const asMany = askAs(seed.domain, many.principal);
    for (let i = 0; i < 4; i++) await seed.createJob([{ name: 'short', requiredLabels: [{ key: 'for', value: 'many' }] }]);
    const { claims } = await run<{ claims: { step: { name: string }; lease: { token: string } }[] }>(
      asMany,
      'claimNextSteps',
      'claims { step { name } lease { token } }',
      { limit: 100, projectId: seed.project.id },
    );
    // It has claimed what other tests have left as well.
    const tokens = claims.filter(({ step }) => step.name === 'short').map(({ lease }) => lease.token);
    expect(tokens).toHaveLength(4);
    const [first, second, third, fourth] = tokens;
    const results = `results { __typename ... on CompleteStepPayload { step { status } job { status } } ${refusal}
      ... on InvalidInputError { issues { path } } ... on StaleLeaseError { step { status } } }`;
    const succeeded = { __typename: 'CompleteStepPayload', step: { status: 'SUCCEEDED' }, job: { status: 'SUCCEEDED' } };
    expect(await run(asMany, 'completeSteps', results, { steps: [{ leaseToken: first }] })).toMatchObject({ results: [succeeded] });
    const steps = [
      { leaseToken: second, numSamples: 0 },
      { leaseToken: first },
      { leaseToken: third, output: { accuracy: 1 }, metrics: [{ name: 'loss', value: 0.5 }] },
      { leaseToken: 'lease_nobody_has' },
      { leaseToken: fourth, exitCode: 3 },
    ];
    expect(await run(asMany, 'completeSteps', results, { steps })).toMatchObject({
      results: [
        { code: 'INVALID_INPUT', issues: [{ path: ['numSamples'] }] },
        { code: 'STALE_LEASE', step: { status: 'SUCCEEDED' } },
        succeeded,
        { code: 'INVALID_INPUT', issues: [{ path: ['leaseToken'] }] },
        succeeded,
      ],
    });
    const twice = { steps: [{ leaseToken: second }, { leaseToken: second }] };
    expect(await run(asMany, 'completeSteps', results, twice)).toMatchObject({ code: 'INVALID_INPUT' });
    const tooMany = { steps: Array.from({ length: 101 }, (_, i) => ({ leaseToken: `lease_${i}` })) };
    expect(await run(asMany, 'completeSteps', results, tooMany)).toMatchObject({ code: 'INVALID_INPUT' });
    expect(await run(asMany, 'completeStep', 'step { status }', { leaseToken: second })).toMatchObject({ step: { status: 'SUCCEEDED' } });
  });

  test('in a list of many reads all steps with one query', async () => {
    for (let i = 0; i < 10; i++) await seed.createJob(3);
    const { jobs } = await ask<{ jobs: { nodes: { steps: { number: number }[] }[] } }>(
      '{ jobs(first: 10) { nodes { steps { number } } } }',
    );
    expect(jobs.nodes.map(({ steps }) => steps.map(({ number }) => number))).toEqual(Array.from({ length: 10 }, () => [0, 1, 2]));
  });
});
