/** A job in each status, however it gets there. */
import { expect } from 'vitest';
import {
  CancelJobDocument,
  ClaimNextStepsDocument,
  CompleteStepDocument,
  CreateJobDocument,
  type CreateJobInput,
  CreateProjectDocument,
  FailStepDocument,
  RegisterDeviceDocument,
  ReleaseStepDocument,
  RenewLeaseDocument,
} from '../../src/client/generated.ts';
import { eventually } from '../agent/eventually.ts';
import { CreateExperimentDocument, type Dialect, StatusInWordsDocument } from './generated.ts';
import { done, type System } from './system.ts';

/** The status of a job, and its term in the dialect. */
export async function readWords(system: System, id: string, dialect: Dialect): Promise<readonly [string | undefined, string | undefined]> {
  const { job } = await system.admin.ask(StatusInWordsDocument, { id, dialect });
  return [job?.status, job?.nativeStatus];
}

/** Brings a job into each status in turn. Returns the dialect's term for each. */
export async function nameStatuses(system: System, dialect: Dialect): Promise<Record<string, string>> {
  const { admin } = system;
  const projectId = done((await admin.ask(CreateProjectDocument, { input: { name: 'Statuses' } })).createProject).project.id;
  const create = async (input: Partial<CreateJobInput> = {}) =>
    done((await admin.ask(CreateJobDocument, { input: { projectId, name: 'A job', ...input } })).createJob).job.id;
  const registered = await admin.ask(RegisterDeviceDocument, { input: { projectId, name: 'machine' } });
  const machine = system.as(done(registered.registerDevice).apiKey ?? '');
  const take = async () => {
    const { claims } = done((await machine.ask(ClaimNextStepsDocument, { input: {} })).claimNextSteps);
    return claims[0]?.lease.token ?? '';
  };

  const words: Record<string, string> = {};
  const note = async (id: string, status: string) => {
    const [is, word] = await readWords(system, id, dialect);
    expect(is).toBe(status);
    words[status] = word ?? '';
  };

  const first = await create({ isPreemptible: true });
  await note(first, 'QUEUED');
  const preempted = await take();
  await note(first, 'RUNNING');
  // The only device has one slot, and this job may not be preempted.
  const second = await create();
  await eventually(async () => {
    const { isPreempted } = done((await machine.ask(RenewLeaseDocument, { input: { leaseToken: preempted } })).renewLease);
    expect(isPreempted).toBe(true);
  });
  done((await machine.ask(ReleaseStepDocument, { input: { leaseToken: preempted } })).releaseStep);
  await note(first, 'SUSPENDED');
  done((await machine.ask(CompleteStepDocument, { input: { leaseToken: await take() } })).completeStep);
  await note(second, 'SUCCEEDED');
  const again = await take();
  done((await admin.ask(CancelJobDocument, { input: { jobId: first } })).cancelJob);
  await note(first, 'CANCELLING');
  done((await machine.ask(ReleaseStepDocument, { input: { leaseToken: again } })).releaseStep);
  await note(first, 'CANCELLED');

  const experiment = await admin.ask(CreateExperimentDocument, { input: { projectId, name: 'A queue' } });
  const experimentId = done(experiment.createExperiment).experiment.id;
  const [before, blocked] = [await create({ experimentId }), await create({ experimentId })];
  await note(blocked, 'BLOCKED');
  done((await machine.ask(FailStepDocument, { input: { leaseToken: await take() } })).failStep);
  await note(before, 'FAILED');
  return words;
}
