/** A federated job whose devices have trained, so that its round can be aggregated. */
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { inspectModel } from '../../src/aggregator/threads.ts';
import { authenticate } from '../../src/domain/access/keys.ts';
import type { Principal } from '../../src/domain/access/principal.ts';
import { claimStep } from '../../src/domain/claims/claims.ts';
import { completeStep } from '../../src/domain/claims/outcomes.ts';
import { topics } from '../../src/domain/core/change.ts';
import { createDomain, type Domain } from '../../src/domain/core/domain.ts';
import { createFragment, finishUpload } from '../../src/domain/files/fragments.ts';
import { createJob } from '../../src/domain/jobs/creation.ts';
import { createProject } from '../../src/domain/jobs/projects.ts';
import { registerDevice } from '../../src/domain/steps/devices.ts';
import { Wakeups } from '../../src/realtime/wakeups.ts';
import { DiskFiles } from '../../src/store/files/disk.ts';
import type { JobRow, StepRow } from '../../src/store/schema/tables.ts';
import type { Store } from '../../src/store/store.ts';
import { admin } from '../support/seed.ts';

/** The domain and wake-ups of a gateway on this data, with the real clock. */
export function domainOn(store: Store, folder: string): { domain: Domain; wakeups: Wakeups } {
  const files = new DiskFiles(join(folder, 'fragments'));
  return { domain: createDomain({ store, files, models: { inspect: inspectModel } }), wakeups: new Wakeups(store) };
}

export interface HandedIn {
  readonly model: Buffer;
  readonly numSamples: number | null;
}

/**
 * Creates the job and lets a device submit each model. Returns the job, whose aggregation is
 * queued.
 */
export async function trainRound(domain: Domain, models: readonly HandedIn[]): Promise<JobRow> {
  const { project } = await createProject(domain, admin, { name: 'Digits' });
  const devices: Principal[] = [];
  for (const [i] of models.entries()) {
    const { apiKey } = await registerDevice(domain, admin, { projectId: project.id, name: `edge-${i}`, kind: 'EDGE' });
    const principal = await authenticate(domain, `Bearer ${apiKey}`);
    if (principal) devices.push(principal);
  }
  const { job } = await createJob(domain, admin, { projectId: project.id, name: 'A round', federation: { numDevices: models.length } });
  const { db, t } = domain.store.read;
  const participants = await db.select().from(t.participants).where(eq(t.participants.jobId, job.id));
  const steps = await stepsOf(domain, job.id);
  for (const [i, device] of devices.entries()) {
    const step = steps.find(({ id }) => id === participants.find(({ deviceId }) => deviceId === device.deviceId)?.stepId);
    const handedIn = models[i];
    if (!step || !handedIn) throw new Error('Every device takes part.');
    await train(domain, device, step, handedIn);
  }
  return job;
}

async function train(domain: Domain, device: Principal, { jobId, number }: StepRow, { model, numSamples }: HandedIn): Promise<void> {
  const { lease } = await claimStep(domain, device, { jobId, stepNumber: number, leaseSeconds: 600 });
  const leaseToken = lease.token;
  const { fragment } = await createFragment(domain, device, { jobId, leaseToken, filename: `model-${number}.safetensors`, type: 'MODEL' });
  const received = await domain.files.receive(fragment.id, [model], domain.limits.fragmentBytesAtMost);
  await received.keep();
  await finishUpload(domain, fragment.id, received.file);
  await completeStep(domain, device, { leaseToken, numSamples });
}

export async function stepsOf({ store }: Domain, jobId: string): Promise<StepRow[]> {
  const { db, t } = store.read;
  return db.select().from(t.steps).where(eq(t.steps.jobId, jobId)).orderBy(t.steps.number);
}

export async function jobOf({ store }: Domain, id: string): Promise<JobRow> {
  const { db, t } = store.read;
  const [job] = await db.select().from(t.jobs).where(eq(t.jobs.id, id));
  if (!job) throw new Error(`There is no job ${id}.`);
  return job;
}

/** Waits until a value read from a job is as expected. Reads again after every event of the job. */
export async function waitFor<T>(
  { wakeups }: { wakeups: Wakeups },
  jobId: string,
  read: () => Promise<T>,
  isWanted: (seen: T) => boolean,
): Promise<T> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = wakeups.on([topics.events(jobId)], resolve);
    try {
      const seen = await read();
      if (isWanted(seen)) return seen;
      await promise;
    } finally {
      end();
    }
  }
}
