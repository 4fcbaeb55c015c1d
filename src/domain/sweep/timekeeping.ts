/** What happens because time passes: leases run out, and jobs come to their schedule, run or cancel timeout. */

import { renewLeases, shiftDeadlines } from '../../store/changes/deadlines.ts';
import { seeDevices } from '../../store/changes/devices.ts';
import { dueJobs, lockJob } from '../../store/changes/jobs.ts';
import { expiredLeases, lockUnfinishedSteps } from '../../store/changes/steps.ts';
import { expiryOf } from '../claims/expiry.ts';
import { type Change, change } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { isHeldStep, type JobStatus, type JobTransition } from '../core/lifecycle.ts';
import { runTasks, throwFailures } from '../core/retries.ts';
import type { Cause } from '../core/transitions.ts';
import { requestStop } from '../jobs/cancellation.ts';
import { endJob, hasTimedOut, runTimeout } from '../jobs/progression.ts';
import { preempt, startPreemption } from '../preemption/preemption.ts';
import { roundsDue } from '../rounds/deadlines.ts';
import { lockRounds } from '../steps/lock-order.ts';
import { forgetNowAndThen } from './forgetting.ts';

/** A dead device's step is claimable within its lease plus one second (P5); claims look by themselves as well. */
const SWEEP_EVERY_MS = 500;
const AT_ONCE = 100;
/** What the devices of a job have at its run timeout, to stop and to hand in what there is: as long as after a cancel that does not say otherwise. */
const STOP_SECONDS = 30;

/** Sweeps until it is ended. What a sweep cannot do now (the disk is full, the database is away) the next one does. */
export function startSweep(domain: Domain, onError: (error: unknown) => void): () => Promise<void> {
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();
  let stopTimer = () => {};
  const forget = forgetNowAndThen(domain);
  const schedule = () => {
    if (isStopped) return;
    stopTimer = domain.clock.after(SWEEP_EVERY_MS, () => {
      running = sweep(domain).then(forget).catch(onError).finally(schedule);
    });
  };
  schedule();
  domain.clockGuard.begin();
  const stopPreemption = startPreemption(domain, onError);
  return async () => {
    isStopped = true;
    stopTimer();
    domain.clockGuard.end();
    await stopPreemption();
    await running;
  };
}

/** Does all that is due by now, each thing by itself. Throws what failed for the first time, when everything else is done. */
export async function sweep(domain: Domain): Promise<void> {
  const { read } = domain.store;
  const { clock, retries, clockGuard } = domain;
  if (clockGuard.isRecovering) await clockGuard.recover((jumpMs, awaySince) => recoverTimes(domain, jumpMs, awaySince));
  retries.forgetOld(clock.now());
  // So many more than what fails again and again: that fills no sweep.
  const due = () => ({ now: clockGuard.dueBy(), limit: AT_ONCE + retries.size });
  const leases = (await read.run(expiredLeases, due())).map(({ id }) => expiryOf(id));
  const failed = await runTasks(domain, leases);
  const jobs = (await read.run(dueJobs, due())).map(({ id }) => ({
    name: `The timeout of ${id}`,
    work: (change: Change) => endOverdue(change, id),
  }));
  failed.push(...(await runTasks(domain, jobs)));
  for (const tasks of roundsDue) failed.push(...(await runTasks(domain, await tasks(domain))));
  failed.push(...(await preempt(domain)));
  throwFailures(failed);
}

/** Which timeout a job in this status can have run into. */
const overdue: Partial<Record<JobStatus, { transition: JobTransition; cause: Cause }>> = {
  QUEUED: {
    transition: 'fail',
    cause: { reason: 'SCHEDULE_TIMEOUT', description: 'No device claimed a step of it within its schedule timeout.' },
  },
  RUNNING: { transition: 'fail', cause: runTimeout },
  SUSPENDED: { transition: 'fail', cause: runTimeout },
  CANCELLING: {
    transition: 'cancel',
    cause: { reason: 'CANCEL_TIMEOUT', description: 'Its device did not let go within the cancel timeout.' },
  },
};

async function endOverdue(change: Change, jobId: string): Promise<void> {
  const { tx, now } = change;
  await lockRounds(change, { jobId, part: 'TRAIN' });
  const steps = await tx.run(lockUnfinishedSteps, { jobId });
  const [job] = await tx.run(lockJob, { id: jobId });
  const due = job && (hasTimedOut(job) ? overdue.RUNNING : overdue[job.status]);
  if (!job || !due || job.deadlineAt === null || job.deadlineAt > now) return;
  // Its devices hand in what there is: hours of training may stand in it.
  if (job.status === 'RUNNING' && steps.some((step) => isHeldStep(step.status))) {
    await requestStop(change, job, steps, due.cause, STOP_SECONDS);
    return;
  }
  await endJob(change, job, due.transition, due.cause);
}

/**
 * Gives every lease its full time again. For the start of a gateway when no other was there: while none was, no device could renew, and work that
 * went on all the while would be taken for lost. A device that did die meanwhile is found out one lease later.
 */
export async function forgiveOutage(domain: Domain): Promise<void> {
  await change(domain, null, ({ tx, now }) => renewLeases(tx, now, 'shorter'));
}

/**
 * Sets right what the gateway's standstill, or a jump of the wall clock, has put wrong: leases have their full time again, and no more than that, and
 * deadlines are as far away as they were. Where other gateways serve the same store, they were there to renew with, and go by their own clocks.
 */
async function recoverTimes(domain: Domain, jumpMs: number, awaySince: Date): Promise<void> {
  if (!(await domain.store.isAlone())) return;
  await change(domain, null, async ({ tx, now }) => {
    await renewLeases(tx, now, 'all');
    await seeDevices(tx, { now, since: new Date(awaySince.getTime() - domain.limits.heartbeatSeconds * 1_000) });
    if (jumpMs !== 0) await shiftDeadlines(tx, jumpMs);
  });
}
