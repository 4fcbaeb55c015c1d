/** A world for tests of fields: a secret word in each protected field, and keys of every kind. */

import { createApiKey } from '../../src/domain/access/key-changes.ts';
import type { Principal } from '../../src/domain/access/principal.ts';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { appendLog, reportMetrics, reportTelemetry } from '../../src/domain/claims/progress.ts';
import { createFragment } from '../../src/domain/files/fragments.ts';
import { createApplication } from '../../src/domain/jobs/applications.ts';
import { cancelJob } from '../../src/domain/jobs/cancellation.ts';
import { createExperiment } from '../../src/domain/jobs/experiments.ts';
import { createProject, updateProject } from '../../src/domain/jobs/projects.ts';
import { deleteJob, updateJob } from '../../src/domain/jobs/update.ts';
import { raiseFleet } from '../domain/fleet.ts';
import { admin, type Seed } from '../support/seed.ts';
import { trainingOn } from './training.ts';

/** The secret words, by their places. */
export const words = [
  'repository',
  'pipeline',
  'catalogue',
  'queue',
  'variable',
  'storage',
  'context',
  'properties',
  'label',
  'sibling',
  'abroad',
];
export const word = (name: string) => `canary-${name}`;
const ofTheProject = words.filter((name) => name !== 'abroad');
const ofTheJob = ['queue', 'variable', 'storage', 'context', 'properties'];

export interface Holder {
  readonly name: string;
  readonly principal: Principal;
  /** The words that it may read. */
  readonly reads: readonly string[];
}

export interface GuardedWorld {
  readonly holders: readonly Holder[];
  /** Required arguments of fields, by `Type.field`. */
  readonly args: Readonly<Record<string, string>>;
}

/** Two projects with something in every field, and keys of every kind. */
export async function guardWorld(seed: Seed): Promise<GuardedWorld> {
  const { domain, project } = seed;
  const container = (name: string) => ({
    command: 'true',
    env: [{ name: 'A', value: word(name === 'own' ? 'variable' : name) }],
    volumes: [{ storage: word(name === 'own' ? 'storage' : name), containerPath: '/data', isReadOnly: false }],
    build: { context: word(name === 'own' ? 'context' : name), dockerfile: 'Dockerfile', properties: {} },
    http: { port: 80, requiresAuth: true },
    properties: { a: word(name === 'own' ? 'properties' : name) },
  });
  await updateProject(domain, admin, {
    projectId: project.id,
    gitRepository: `https://alice:${word('repository')}@example.com/digits.git`,
    pipeline: [{ name: 'Bootstrap', container: container('pipeline') }],
  });
  const itemDefinitions = [{ name: 'rate', valueType: 'NUMBER', defaultValue: '1' }] as const;
  const { application } = await createApplication(domain, admin, {
    name: 'Digits',
    itemDefinitions,
    container: container('own'),
  });
  const others = await createApplication(domain, admin, { name: 'Of others', itemDefinitions, container: container('catalogue') });
  const training = trainingOn(seed);
  const { experiment } = await createExperiment(domain, admin, {
    projectId: project.id,
    name: 'Queue',
    hyperparameters: { a: word('queue') },
    startModelFragmentId: await training.modelOfProject(),
  });
  const fleet = await raiseFleet(seed, 2);
  const device = await seed.registerDevice({
    name: 'gpu-1',
    capabilities: { runs: ['PROCESS', 'CONTAINER'], stepNames: ['S', 'T'] },
    labels: [{ key: 'site', value: word('label') }],
  });

  const sibling = await seed.createJob([{ name: 'S', container: container('sibling') }], {
    name: 'Sibling',
    experimentId: experiment.id,
    settings: { a: word('sibling') },
  });
  const siblingClaim = await seed.claim(sibling, 0, device);
  await appendLog(domain, admin, {
    leaseToken: siblingClaim.lease.token,
    chunks: [{ stream: 'STDOUT', offset: 0, text: word('sibling') }],
  });
  await createFragment(domain, admin, { jobId: sibling.job.id, filename: 'notes.txt', type: 'DATA', text: word('sibling') });
  await training.handIn(siblingClaim, sibling.job, 'model');
  await completeStep(domain, admin, { leaseToken: siblingClaim.lease.token });

  const archive = { projectId: project.id, filename: 'code.tar', type: 'DATA', text: 'code' } as const;
  const { fragment: code } = await createFragment(domain, admin, archive);
  const own = await seed.createJob(
    [
      { name: 'S', container: container('own') },
      { name: 'T', pinnedDeviceId: device.device.id, inputs: [{ stepNumber: 0, filename: 'model.safetensors' }] },
    ],
    {
      name: 'Own',
      code: { archive: { fragmentId: code.id, commit: 'a'.repeat(40), branch: 'main', isDirty: true } },
      applicationId: application.id,
      experimentId: experiment.id,
      labels: [{ key: 'a', value: 'b' }],
    },
  );
  const held = await seed.claim(own, 0, device);
  await appendLog(domain, admin, { leaseToken: held.lease.token, chunks: [{ stream: 'STDOUT', offset: 0, text: 'a line\n' }] });
  await reportMetrics(domain, admin, { leaseToken: held.lease.token, metrics: [{ name: 'loss', value: 1 }] });
  await reportTelemetry(domain, admin, { leaseToken: held.lease.token, samples: [{ cpu: 1, memoryMb: 1 }] });
  await training.handIn(held, own.job, 'model');
  await updateJob(domain, admin, { jobId: own.job.id, statusMessage: 'Runs.' });

  const federation = {
    numDevices: 2,
    terminationCriteria: [{ maxRounds: 3 }, { maxDurationSeconds: 600 }, { metric: { metric: 'loss', operator: 'LT', threshold: 0.1 } }],
    trainContainer: container('own'),
    aggregateContainer: container('own'),
  } as const;
  const federated = await fleet.createJob(federation, { name: 'Federated' });
  await fleet.train(federated.job.id, 2);
  await fleet.aggregate(federated.job.id);
  const [trainer] = await fleet.selected(federated.job.id, 2);
  if (!trainer) throw new Error('The second round has no device.');
  const trained = await fleet.claim(federated.job.id, trainer, 2);

  const { project: abroad } = await createProject(domain, admin, { name: word('abroad'), gitRepository: word('abroad') });
  await seed.createJob(1, { projectId: abroad.id, name: word('abroad'), settings: { a: word('abroad') } });
  await seed.registerDevice({ projectId: abroad.id, name: word('abroad') });

  const keyOf = async (input: Pick<Parameters<typeof createApiKey>[2], 'kind' | 'jobId' | 'role' | 'projectId'>) =>
    seed.principalOf((await createApiKey(domain, admin, { name: 'a key', ...input })).secret);
  const user = async (role: 'VIEWER' | 'EDITOR' | 'ADMIN') => ({
    name: `${role} of the project`,
    principal: await keyOf({ kind: 'USER', role, projectId: project.id }),
    reads: ofTheProject,
  });
  const ofJob = async (name: string, jobId: string, token: string, lease: string, reads: readonly string[]) => [
    { name: `JOB of the ${name} job`, principal: await seed.principalOf(token), reads },
    { name: `lease of the ${name} job`, principal: await seed.principalOf(lease), reads },
    { name: `WATCH of the ${name} job`, principal: await keyOf({ kind: 'WATCH', jobId }), reads: [] },
  ];
  const holders = [
    { name: 'ADMIN of all', principal: await keyOf({ kind: 'USER', role: 'ADMIN' }), reads: words },
    await user('VIEWER'),
    await user('EDITOR'),
    await user('ADMIN'),
    { name: 'DEVICE', principal: device.principal, reads: ofTheProject },
    ...(await ofJob('own', own.job.id, own.token, held.lease.token, ofTheJob)),
    ...(await ofJob(
      'federated',
      federated.job.id,
      federated.token,
      trained.lease.token,
      ofTheJob.filter((name) => name !== 'queue'),
    )),
  ];
  // Of a deleted job, the feed tells.
  const { job: gone } = await seed.createJob();
  await cancelJob(domain, admin, { jobId: gone.id, cancelTimeoutSeconds: 0 });
  await deleteJob(domain, admin, { jobId: gone.id });

  const args = {
    'Query.application': `id: "${others.application.id}"`,
    'Query.compareMetric': `name: "loss", jobIds: ["${own.job.id}"]`,
    'Query.device': `id: "${device.device.id}"`,
    'Query.experiment': `id: "${experiment.id}"`,
    'Query.fragment': `id: "${await training.modelOfProject('another')}"`,
    'Query.labelValues': 'key: "team"',
    'Query.job': `id: "${own.job.id}"`,
    'Query.model': 'id: "model_00000000000000000000000000"',
    'Query.node': `id: "${federated.job.id}"`,
    'Query.nodes': `ids: ["${sibling.job.id}", "${own.job.id}", "${federated.job.id}", "${held.step.id}", "${project.id}", "${abroad.id}"]`,
    'Query.project': `id: "${project.id}"`,
    'Query.step': `id: "${held.step.id}"`,
    'Job.step': 'number: 1',
    'Job.item': 'name: "rate"',
    'Job.latestFragment': 'filename: "model.safetensors"',
    'Project.latestFragment': 'filename: "model.safetensors"',
    'Job.metricSeries': 'name: "loss"',
    'Fragment.nativeType': 'dialect: MLCYCLE',
    'Job.nativeInitiator': 'dialect: MLCYCLE',
    'Job.nativeStatus': 'dialect: MLCYCLE',
    'Step.nativeStatus': 'dialect: MLCYCLE',
    'Step.logFrom': 'attempt: 1, line: 1',
    'Step.logSearch': 'text: "a"',
  };
  return { holders, args };
}
