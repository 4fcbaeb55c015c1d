/** Edge devices and federated jobs for tests of rounds. */
import { asc, eq } from 'drizzle-orm';
import type { Principal } from '../../src/domain/access/principal.ts';
import type { Claim } from '../../src/domain/claims/claims.ts';
import type { MetricInput } from '../../src/domain/claims/metrics.ts';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import type { FederationInput } from '../../src/domain/federation/federation.ts';
import { createFragment, finishUpload } from '../../src/domain/files/fragments.ts';
import type { CreateJobInput } from '../../src/domain/jobs/input.ts';
import { recordSeen } from '../../src/domain/steps/devices.ts';
import type { FederationRow, FragmentRow, JobRow, ParticipantRow, RoundRow, StepRow } from '../../src/store/schema/tables.ts';
import { encodeModel, f32 } from '../aggregator/models.ts';
import { admin, type Seed, type SeededDevice, type SeededJob } from '../support/seed.ts';

/** The smallest possible model. Tests of rounds do not use its numbers. */
export const smallModel = encodeModel({ weight: f32([1, 2, 3, 4], [2, 2]), bias: f32([0.5]) });

export interface HandIn {
  readonly bytes?: Buffer;
  readonly numSamples?: number;
  readonly metrics?: readonly MetricInput[];
}

export interface Fleet {
  readonly devices: readonly SeededDevice[];
  createJob(federation: FederationInput, input?: Partial<CreateJobInput>): Promise<SeededJob>;
  /** The devices of a round, in the order in which they were selected. */
  selected(jobId: string, round?: number): Promise<SeededDevice[]>;
  deviceNamed(id: string): SeededDevice;
  /** The device's step of the round, claimed by it. */
  claim(jobId: string, device: SeededDevice, round?: number, leaseSeconds?: number): Promise<Claim>;
  upload(claim: Claim, principal: Principal, bytes?: Buffer): Promise<FragmentRow>;
  /** Uploads a model under the lease, and completes the step. */
  handIn(claim: Claim, device: SeededDevice, what?: HandIn): Promise<{ step: StepRow; job: JobRow; fragment: FragmentRow }>;
  /** Claims and submits for the first devices of the round. */
  train(jobId: string, count: number, round?: number, what?: HandIn): Promise<SeededDevice[]>;
  /** Runs the waiting aggregation, as a person would. */
  aggregate(jobId: string, what?: HandIn): Promise<{ job: JobRow; fragment: FragmentRow }>;
  readFederation(jobId: string): Promise<FederationRow | undefined>;
  readRounds(jobId: string): Promise<RoundRow[]>;
  readParticipants(jobId: string, round?: number): Promise<ParticipantRow[]>;
  /** The events of rounds: `1 null → TRAINING` … */
  readRoundEvents(jobId: string): Promise<string[]>;
}

/** The entry at this index, which must exist. */
export function nth<T>(list: readonly T[], i: number): T {
  const found = list[i];
  if (found === undefined) throw new Error(`The list has no entry ${i}.`);
  return found;
}

export const statusesOf = (rows: readonly { status: string }[]) => rows.map(({ status }) => status);

/** Keeps these devices online, whatever the clock says. */
export async function see({ domain }: Seed, devices: readonly SeededDevice[]): Promise<void> {
  for (const { device } of devices) await recordSeen(domain, device.id);
}

/** Registers edge devices in the seed's project. */
export async function raiseFleet(seed: Seed, count: number): Promise<Fleet> {
  const { domain } = seed;
  const { db, t } = domain.store.read;
  const devices: SeededDevice[] = [];
  for (let i = 0; i < count; i++) devices.push(await seed.registerDevice({ name: `edge-${i}`, kind: 'EDGE' }));
  const deviceNamed = (id: string) => {
    const found = devices.find(({ device }) => device.id === id);
    if (!found) throw new Error(`The fleet has no device ${id}.`);
    return found;
  };
  const readParticipants = async (jobId: string, round = 1) => {
    const rows = await db.select().from(t.participants).where(eq(t.participants.jobId, jobId)).orderBy(asc(t.participants.position));
    return rows.filter((row) => row.round === round);
  };
  const stepOf = async (jobId: string, isWanted: (step: StepRow) => boolean) => {
    const step = (await seed.readSteps(jobId)).find(isWanted);
    if (!step) throw new Error('The job has no such step.');
    return step;
  };

  const fleet: Fleet = {
    devices,
    deviceNamed,
    readParticipants,
    createJob: (federation, input = {}) => seed.createJob(null, { federation, ...input }),
    selected: async (jobId, round) => (await readParticipants(jobId, round)).map(({ deviceId }) => deviceNamed(deviceId)),
    async claim(jobId, device, round = 1, leaseSeconds = 60) {
      const own = (await readParticipants(jobId, round)).find(({ deviceId }) => deviceId === device.device.id);
      const step = await stepOf(jobId, ({ id }) => id === own?.stepId);
      return seed.claim(await seed.readJob(jobId), step.number, device, leaseSeconds);
    },
    async upload({ step, lease }, principal, bytes = smallModel) {
      const filename = `model-${step.number}-${lease.attempt}-${domain.random(4).toString('hex')}.safetensors`;
      const announced = { jobId: step.jobId, leaseToken: lease.token, filename, type: 'MODEL' } as const;
      const { fragment } = await createFragment(domain, principal, announced);
      const { file, keep } = await domain.files.receive(fragment.id, [bytes], bytes.length);
      await keep();
      return finishUpload(domain, fragment.id, file);
    },
    async handIn(claim, { principal }, { bytes, numSamples, metrics } = {}) {
      const fragment = await fleet.upload(claim, principal, bytes);
      const input = { leaseToken: claim.lease.token, numSamples, metrics };
      return { ...(await completeStep(domain, principal, input)), fragment };
    },
    async train(jobId, count, round = 1, what = {}) {
      const own = (await fleet.selected(jobId, round)).slice(0, count);
      for (const device of own) await fleet.handIn(await fleet.claim(jobId, device, round), device, what);
      return own;
    },
    async aggregate(jobId, what = {}) {
      const { number } = await stepOf(jobId, ({ part, status }) => part === 'AGGREGATE' && status === 'QUEUED');
      const claim = await seed.claim(await seed.readJob(jobId), number);
      const fragment = await fleet.upload(claim, admin, what.bytes);
      return { ...(await completeStep(domain, admin, { leaseToken: claim.lease.token, metrics: what.metrics })), fragment };
    },
    async readFederation(jobId) {
      const [federation] = await db.select().from(t.federations).where(eq(t.federations.jobId, jobId));
      return federation;
    },
    readRounds: async (jobId) => db.select().from(t.rounds).where(eq(t.rounds.jobId, jobId)).orderBy(asc(t.rounds.number)),
    readRoundEvents: async (jobId) =>
      (await seed.readEvents(jobId))
        .filter(({ type }) => type === 'ROUND_CHANGED')
        .map(({ from, to, details }) => `${details?.[0]} ${from} → ${to}`),
  };
  return fleet;
}
