/** Shortcuts of vergeai's client and devices that most of its tests begin with. */
import { expect } from 'vitest';
import { CreateProjectDocument } from '../../src/client/generated.ts';
import { eventually } from '../agent/eventually.ts';
import { encodeModel, f32 } from '../aggregator/models.ts';
import * as ask from './generated.ts';
import { type Caller, done, type System } from './system.ts';

export interface Device {
  readonly id: string;
  readonly caller: Caller;
}

/** The step that a device received. */
export interface Turn {
  readonly leaseToken: string;
  readonly jobId: string;
  readonly startModel: string | undefined;
}

/** Binary fractions, so that every mean of them is exact. */
export const modelOf = (weights: readonly number[], bias: number) => encodeModel({ weights: f32(weights), bias: f32([bias], [1, 1]) });
/** The `stateDict` of the model. */
export const stateOf = (weights: readonly number[], bias: number) => ({
  tensors: [
    { name: 'weights', dtype: 'F32', shape: [weights.length], values: weights },
    { name: 'bias', dtype: 'F32', shape: [1, 1], values: [bias] },
  ],
});

let submissions = 0;

export function edgeOf(system: System) {
  const openProject = async () =>
    done((await system.admin.ask(CreateProjectDocument, { input: { name: 'At the edge' } })).createProject).project.id;
  const register = async (projectId: string, name: string, kind: ask.DeviceKind = 'EDGE'): Promise<Device> => {
    const { device, apiKey } = done((await system.admin.ask(ask.RegisterDocument, { projectId, name, kind })).registerDevice);
    return { id: device.id, caller: system.as(apiKey ?? '') };
  };
  const registerMany = async (projectId: string, count: number) => {
    const devices: Device[] = [];
    for (let i = 0; i < count; i++) devices.push(await register(projectId, `phone-${i}`));
    return devices;
  };
  const uploadStartModel = async (projectId: string, bytes: Buffer) => {
    const { createFragment } = await system.admin.ask(ask.UploadStartModelDocument, { projectId, filename: 'start.safetensors' });
    const { fragment, uploadUrl } = done(createFragment);
    expect((await system.put(uploadUrl, bytes)).status).toBe(200);
    return fragment.id;
  };
  const createExperiment = async (input: ask.CreateExperimentInput) =>
    done((await system.admin.ask(ask.CreateExperimentDocument, { input })).createExperiment).experiment.id;
  const create = async (input: Omit<ask.CreateJobInput, 'name'>) =>
    (await system.admin.ask(ask.CreateDocument, { input: { ...input, name: 'A round' } })).createJob;
  const created = async (input: Omit<ask.CreateJobInput, 'name'>) => done(await create(input)).job;
  const get = async (jobId: string) => {
    const { job } = await system.admin.ask(ask.GetDocument, { jobId });
    if (!job) throw new Error('The job is gone.');
    return job;
  };
  const roundsOf = async (jobId: string) => (await system.admin.ask(ask.GetRoundsDocument, { jobId })).job?.federation?.rounds ?? [];
  const waitFor = (jobId: string, status: string) =>
    eventually(async () => {
      const job = await get(jobId);
      expect(job.status).toBe(status);
      return job;
    });
  const awaitTurn = async ({ caller }: Device, waitSeconds = 20): Promise<Turn | null> => {
    const [claim] = done((await caller.ask(ask.AwaitTurnDocument, { waitSeconds })).claimNextSteps).claims;
    if (!claim) return null;
    const { job } = claim.step;
    return { leaseToken: claim.lease.token, jobId: job.id, startModel: job.federation?.currentRound?.startModel?.downloadUrl ?? undefined };
  };
  const turnOf = async (device: Device): Promise<Turn> => {
    const turn = await awaitTurn(device);
    if (!turn) throw new Error(`${device.id} was not chosen.`);
    return turn;
  };
  const submit = async ({ caller, id }: Device, turn: Turn, model: Buffer, numSamples: number | null, metrics: ask.MetricInput[] = []) => {
    const filename = `${id}-${submissions++}.safetensors`;
    const announced = (await caller.ask(ask.SubmitModelDocument, { ...turn, filename })).createFragment;
    expect((await system.put(done(announced).uploadUrl, model)).status).toBe(200);
    return (await caller.ask(ask.SubmittedDocument, { leaseToken: turn.leaseToken, numSamples, metrics })).completeStep;
  };
  /** The devices that a job selected, in the order of selection. */
  const chosen = (job: { federation: { devices: readonly { id: string }[] } | null } | null, devices: readonly Device[]) =>
    (job?.federation?.devices ?? []).map(({ id }) => devices.find((device) => device.id === id) as Device); // selected from these

  return {
    openProject,
    register,
    registerMany,
    uploadStartModel,
    createExperiment,
    create,
    created,
    get,
    roundsOf,
    waitFor,
    awaitTurn,
    turnOf,
    submit,
    chosen,
  };
}
