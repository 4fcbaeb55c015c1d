/**
 * The seed: a domain on a store, with a held clock and seeded randomness, and shortcuts to what
 * most tests need.
 */
import { asc, eq } from 'drizzle-orm';
import { findProblems } from '../../src/aggregator/inspection.ts';
import { authenticate } from '../../src/domain/access/keys.ts';
import type { Principal } from '../../src/domain/access/principal.ts';
import { type Claim, claimStep } from '../../src/domain/claims/claims.ts';
import { createDomain, type Domain, type Models } from '../../src/domain/core/domain.ts';
import type { DomainLimits } from '../../src/domain/core/limits.ts';
import { createJob } from '../../src/domain/jobs/creation.ts';
import type { CreateJobInput } from '../../src/domain/jobs/input.ts';
import { createProject } from '../../src/domain/jobs/projects.ts';
import { type RegisterDeviceInput, registerDevice } from '../../src/domain/steps/devices.ts';
import { openSchemas } from '../../src/json-schema/threads.ts';
import { DiskFiles } from '../../src/store/files/disk.ts';
import { openShared } from '../../src/store/files/file-store.ts';
import type { DeviceRow, EventRow, JobRow, ProjectRow, StepRow } from '../../src/store/schema/tables.ts';
import type { Store } from '../../src/store/store.ts';
import { type HeldClock, holdClock } from './clock.ts';
import { createFolder } from './folders.ts';
import { seedRandom } from './random.ts';

/** A principal with every right. */
export const admin: Principal = {
  kind: 'USER',
  role: 'ADMIN',
  name: 'user:admin',
  keyId: null,
  projectId: null,
  jobId: null,
  deviceId: null,
  stepId: null,
  attempt: null,
  expiresAt: null,
};

export interface SeededJob {
  readonly job: JobRow;
  readonly steps: readonly StepRow[];
  /** The job's own key. */
  readonly token: string;
}

export interface SeededDevice {
  readonly device: DeviceRow;
  readonly principal: Principal;
  readonly apiKey: string;
}

export interface Seed {
  readonly domain: Domain;
  readonly clock: HeldClock;
  readonly project: ProjectRow;
  /**
   * Creates a job with a number of steps or the given ones, in the seed's project unless the input
   * names another.
   */
  createJob(steps?: number | CreateJobInput['steps'], input?: Partial<CreateJobInput>): Promise<SeededJob>;
  /** Registers a device in the seed's project unless the input names another. */
  registerDevice(input?: Partial<RegisterDeviceInput>): Promise<SeededDevice>;
  claim(job: SeededJob | JobRow, stepNumber?: number, device?: SeededDevice, leaseSeconds?: number): Promise<Claim>;
  principalOf(secret: string): Promise<Principal>;
  readJob(id: string): Promise<JobRow>;
  /** Sorted by number. */
  readSteps(jobId: string): Promise<StepRow[]>;
  /**
   * In stream order. Without feed positions, which PostgreSQL assigns a moment after the commit.
   */
  readEvents(jobId: string): Promise<Omit<EventRow, 'position'>[]>;
}

/** Shared by all tests of a file. */
const schemas = openSchemas();

/** The clock starts at `start`, by default 2026-01-01. */
export async function plantSeed(
  store: Store,
  { seed = 1, start, limits = {} }: { seed?: string | number; start?: string; limits?: Partial<DomainLimits> } = {},
): Promise<Seed> {
  const clock = holdClock(start);
  const files = new DiskFiles(createFolder('files'));
  // In this thread: the models of tests are small, and simultaneous ones should meet in the store.
  const models: Models = {
    inspect: async (model, start, isAveraged) =>
      findProblems(await openShared(model.file), start && (await openShared(start.file)), isAveraged),
  };
  const domain = createDomain({ store, files, models, schemas, clock, random: seedRandom(seed), limits });
  const { project } = await createProject(domain, admin, { name: 'Digits' });
  let devices = 0;

  const principalOf = async (secret: string) => {
    const principal = await authenticate(domain, `Bearer ${secret}`);
    if (!principal) throw new Error('No one has this key.');
    return principal;
  };
  const readSteps = async (jobId: string) => {
    const { db, t } = store.read;
    return db.select().from(t.steps).where(eq(t.steps.jobId, jobId)).orderBy(asc(t.steps.number));
  };

  return {
    domain,
    clock,
    project,
    principalOf,
    readSteps,
    async createJob(steps = 1, input = {}) {
      const list = typeof steps === 'number' ? Array.from({ length: steps }, (_, i) => ({ name: `Step ${i}` })) : steps;
      const { job, token } = await createJob(domain, admin, { projectId: project.id, name: 'A job', steps: list, ...input });
      return { job, token, steps: await readSteps(job.id) };
    },
    async registerDevice(input = {}) {
      const name = `device-${devices++}`;
      const { device, apiKey } = await registerDevice(domain, admin, { projectId: project.id, name, slots: 100, ...input });
      if (apiKey === null) throw new Error('A seeded device is a new one.');
      return { device, apiKey, principal: await principalOf(apiKey) };
    },
    claim(job, stepNumber = 0, device, leaseSeconds = 60) {
      const jobId = 'job' in job ? job.job.id : job.id;
      return claimStep(domain, device?.principal ?? admin, { jobId, stepNumber, leaseSeconds });
    },
    async readJob(id) {
      const { db, t } = store.read;
      const [job] = await db.select().from(t.jobs).where(eq(t.jobs.id, id));
      if (!job) throw new Error(`There is no job ${id}.`);
      return job;
    },
    async readEvents(jobId) {
      const { db, t } = store.read;
      const events = await db.select().from(t.events).where(eq(t.events.jobId, jobId)).orderBy(asc(t.events.seq));
      return events.map(({ position: _, ...event }) => event);
    },
  };
}
