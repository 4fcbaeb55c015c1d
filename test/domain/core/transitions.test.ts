/** Every cell of the two lifecycle tables, allowed and refused, through SQL on both databases. */
import { eq } from 'drizzle-orm';
import { beforeAll, describe, expect, test } from 'vitest';
import { change } from '../../../src/domain/core/change.ts';
import {
  isHeldStep,
  type JobStatus,
  type JobTransition,
  jobLifecycle,
  jobStatuses,
  jobStatusesThatAllow,
  nextJobStatus,
  nextStepStatus,
  type StepStatus,
  type StepTransition,
  stepLifecycle,
  stepStatuses,
  stepStatusesThatAllow,
} from '../../../src/domain/core/lifecycle.ts';
import { InvalidState } from '../../../src/domain/core/refusals.ts';
import { moveJob, moveStep } from '../../../src/domain/core/transitions.ts';
import type { JobRow, StepRow } from '../../../src/store/schema/tables.ts';
import type { Store } from '../../../src/store/store.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { plantSeed, type Seed } from '../../support/seed.ts';

// Keys of the literal tables.
const stepTransitions = [...new Set(Object.values(stepLifecycle).flatMap((row) => Object.keys(row)))] as StepTransition[];
const jobTransitions = [...new Set(Object.values(jobLifecycle).flatMap((row) => Object.keys(row)))] as JobTransition[];
const cells = <S, H>(statuses: readonly S[], transitions: readonly H[]) =>
  statuses.flatMap((status) => transitions.map((transition) => ({ status, transition })));

/** A lease exactly if the status needs one: the database checks it. */
const leaseIn = (status: StepStatus, now: Date): Partial<StepRow> =>
  isHeldStep(status)
    ? { leaseHash: 'f'.repeat(64), leaseExpiresAt: new Date(now.getTime() + 60_000), leaseSeconds: 60, attemptCount: 1 }
    : { leaseHash: null, leaseDeviceId: null, leaseExpiresAt: null, leaseSeconds: null };
const cause = { reason: 'USER_REQUESTED', description: 'because', exitCode: 3 } as const;

describeOnEachStore('The lifecycle in the database', (open) => {
  let store: Store;
  let seed: Seed;
  beforeAll(async () => {
    store = await open();
    seed = await plantSeed(store);
  });

  /** A step in this status. */
  async function placeStep(status: StepStatus): Promise<StepRow> {
    const { job } = await seed.createJob(1);
    await store.write(async ({ db, t }) =>
      db
        .update(t.steps)
        .set({ status, ...leaseIn(status, seed.clock.now()) })
        .where(eq(t.steps.jobId, job.id)),
    );
    const [step] = await seed.readSteps(job.id);
    if (!step) throw new Error('The job has a step.');
    return step;
  }

  async function placeJob(status: JobStatus): Promise<JobRow> {
    const { job } = await seed.createJob(1);
    await store.write(async ({ db, t }) => db.update(t.jobs).set({ status }).where(eq(t.jobs.id, job.id)));
    return seed.readJob(job.id);
  }

  const move = (step: StepRow, transition: StepTransition) => {
    const to = nextStepStatus(step.status, transition) ?? step.status;
    return change(seed.domain, null, (change) => moveStep(change, step, transition, cause, leaseIn(to, change.now)));
  };

  describe('of a step', () => {
    const allowed = cells(stepStatuses, stepTransitions).filter(({ status, transition }) => nextStepStatus(status, transition) !== null);
    const refused = cells(stepStatuses, stepTransitions).filter(({ status, transition }) => nextStepStatus(status, transition) === null);

    test('has 80 cells', () => {
      expect([allowed.length, refused.length]).toEqual([17, 63]);
    });

    test.each(allowed)('$transition moves a $status step and stores the event', async ({ status, transition }) => {
      const step = await placeStep(status);
      const before = await seed.readEvents(step.jobId);
      const moved = await move(step, transition);
      const to = nextStepStatus(status, transition);
      expect(moved.status).toBe(to);
      expect(await seed.readSteps(step.jobId)).toEqual([moved]);
      const after = await seed.readEvents(step.jobId);
      expect(after.slice(0, before.length)).toEqual(before);
      expect(after.slice(before.length)).toMatchObject([
        { type: 'STEP_STATUS_CHANGED', stepId: step.id, from: status, to, seq: before.length + 1, actor: 'trainyard', ...cause },
      ]);
    });

    test.each(refused)('$transition is refused to a $status step and changes nothing', async ({ status, transition }) => {
      const step = await placeStep(status);
      const events = await seed.readEvents(step.jobId);
      const refusal = await move(step, transition).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(InvalidState);
      expect(refusal).toMatchObject({ status, allowed: stepStatusesThatAllow(transition) });
      expect(await seed.readSteps(step.jobId)).toEqual([step]);
      expect(await seed.readEvents(step.jobId)).toEqual(events);
    });

    test('is not moved by a change that read it before another moved it', async () => {
      const step = await placeStep('RUNNING');
      const completed = await move(step, 'complete');
      const events = await seed.readEvents(step.jobId);
      await expect(move(step, 'requeue')).rejects.toThrow(InvalidState);
      expect(await seed.readSteps(step.jobId)).toEqual([completed]);
      expect(await seed.readEvents(step.jobId)).toEqual(events);
    });

    test('is moved once when two changes move it at once (P4)', async () => {
      const step = await placeStep('RUNNING');
      const outcomes = await Promise.allSettled([move(step, 'complete'), move(step, 'fail'), move(step, 'cancel')]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const [now] = await seed.readSteps(step.jobId);
      const changes = (await seed.readEvents(step.jobId)).filter(({ type }) => type === 'STEP_STATUS_CHANGED');
      expect(changes.map(({ from, to }) => [from, to])).toEqual([['RUNNING', now?.status]]);
    });

    test('is not moved, nor its event stored, by a change that is undone', async () => {
      const step = await placeStep('QUEUED');
      const events = await seed.readEvents(step.jobId);
      const undone = change(seed.domain, null, async (change) => {
        await moveStep(change, step, 'skip', cause);
        throw new Error('no');
      });
      await expect(undone).rejects.toThrow('no');
      expect(await seed.readSteps(step.jobId)).toEqual([step]);
      expect(await seed.readEvents(step.jobId)).toEqual(events);
    });

    test('cannot be held without a lease, nor keep one after it', async () => {
      const step = await placeStep('QUEUED');
      await expect(change(seed.domain, null, (change) => moveStep(change, step, 'claim', cause))).rejects.toThrow();
      const held = await placeStep('RUNNING');
      await expect(change(seed.domain, null, (change) => moveStep(change, held, 'complete', cause))).rejects.toThrow();
      expect(await seed.readSteps(step.jobId)).toEqual([step]);
      expect(await seed.readSteps(held.jobId)).toEqual([held]);
    });
  });

  describe('of a job', () => {
    const allowed = cells(jobStatuses, jobTransitions).filter(({ status, transition }) => nextJobStatus(status, transition) !== null);
    const refused = cells(jobStatuses, jobTransitions).filter(({ status, transition }) => nextJobStatus(status, transition) === null);
    const move = (job: JobRow, transition: JobTransition) =>
      change(seed.domain, null, (change) => moveJob(change, job, transition, cause, { statusMessage: 'moved' }));

    test('has 88 cells', () => {
      expect([allowed.length, refused.length]).toEqual([36, 52]);
    });

    test.each(allowed)('$transition is taken by a $status job, with an event if its status changes', async ({ status, transition }) => {
      const job = await placeJob(status);
      const before = await seed.readEvents(job.id);
      const moved = await move(job, transition);
      const to = nextJobStatus(status, transition);
      expect(moved).toMatchObject({ status: to, statusMessage: 'moved' });
      expect(moved.updatedAt.getTime()).toBeGreaterThan(job.updatedAt.getTime());
      expect(await seed.readJob(job.id)).toEqual(moved);
      const added = (await seed.readEvents(job.id)).slice(before.length);
      expect(added).toMatchObject(
        to === status ? [] : [{ type: 'JOB_STATUS_CHANGED', from: status, to, seq: before.length + 1, ...cause }],
      );
    });

    test.each(refused)('$transition is refused to a $status job and changes nothing', async ({ status, transition }) => {
      const job = await placeJob(status);
      const events = await seed.readEvents(job.id);
      const refusal = await move(job, transition).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(InvalidState);
      expect(refusal).toMatchObject({ status, allowed: jobStatusesThatAllow(transition) });
      expect(await seed.readJob(job.id)).toEqual(job);
      expect(await seed.readEvents(job.id)).toEqual(events);
    });

    test('is not moved by a change that read it before another moved it', async () => {
      const job = await placeJob('RUNNING');
      const ended = await move(job, 'fail');
      await expect(move(job, 'succeed')).rejects.toThrow(InvalidState);
      expect(await seed.readJob(job.id)).toEqual(ended);
    });
  });
});
