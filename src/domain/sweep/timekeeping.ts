/**
 * What happens because time passes: leases expire, jobs reach their schedule, run or cancel
 * timeout, and devices go offline.
 *
 * Of several gateways the elected one keeps time for all. The others only watch the leases: should
 * the elected one die, another follows within seconds, but an expired lease may not wait so long
 * (P5).
 */

import { renewLeases, shiftDeadlines } from '../../store/changes/deadlines.ts';
import { seeDevices } from '../../store/changes/devices.ts';
import { anythingDue } from '../../store/changes/due.ts';
import { dueJobs, lockJob } from '../../store/changes/jobs.ts';
import { expiredLeases, lockUnfinishedSteps, nextExpiry } from '../../store/changes/steps.ts';
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
import { presenceTasks } from '../steps/device-changes.ts';
import { lockRounds } from '../steps/lock-order.ts';
import { forgetNowAndThen } from './forgetting.ts';

/**
 * The step of a dead device can be claimed within its lease plus one second (P5). Claims also
 * expire leases themselves.
 */
const SWEEP_EVERY_MS = 500;
/**
 * How often a gateway that is not elected looks when the next lease expires. Every lease is at
 * least a second long, so none can have expired more than a second ago unseen.
 */
const WATCH_EVERY_MS = 1_500;
const AT_ONCE = 100;
/**
 * The seconds a device has to stop and submit its output at the run timeout: the same as the
 * default of a cancel.
 */
const STOP_SECONDS = 30;

/**
 * Sweeps until it is stopped. What fails in one sweep (the disk is full, the database is
 * unreachable) is tried in the next.
 */
export function startSweep(domain: Domain, onError: (error: unknown) => void): () => Promise<void> {
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();
  let stopTimer = () => {};
  const forget = forgetNowAndThen(domain);
  const watch = watchLeases(domain);
  const schedule = () => {
    if (isStopped) return;
    stopTimer = domain.clock.after(SWEEP_EVERY_MS, () => {
      const round = domain.store.isElected ? sweep(domain).then(forget) : watch();
      running = round.catch(onError).finally(schedule);
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

/**
 * Does everything that is due, each task in its own transaction. At the end, throws the errors of
 * tasks that failed for the first time.
 */
export async function sweep(domain: Domain): Promise<void> {
  const { read } = domain.store;
  const { clock, retries } = domain;
  await recover(domain);
  retries.forgetOld(clock.now());
  if (!(await isAnythingDue(domain))) return;
  const failed = await expireLeases(domain);
  const jobs = (await read.run(dueJobs, dueOf(domain))).map(({ id }) => ({
    name: `The timeout of ${id}`,
    work: (change: Change) => endOverdue(change, id),
  }));
  failed.push(...(await runTasks(domain, jobs)));
  for (const tasks of roundsDue) failed.push(...(await runTasks(domain, await tasks(domain))));
  failed.push(...(await preempt(domain)));
  failed.push(...(await runTasks(domain, await presenceTasks(domain))));
  throwFailures(failed);
}

/** The limit grows with the number of failing tasks, so that these never fill a whole sweep. */
const dueOf = ({ clockGuard, retries }: Domain) => ({ now: clockGuard.dueBy(), limit: AT_ONCE + retries.size });

async function isAnythingDue({ store, clockGuard, limits }: Domain): Promise<boolean> {
  const now = clockGuard.dueBy();
  const since = new Date(now.getTime() - limits.heartbeatSeconds * 1_000);
  const [found] = await store.read.run(anythingDue, { now, since, limit: 1 });
  return found?.isDue ?? false;
}

async function expireLeases(domain: Domain): Promise<Error[]> {
  const leases = await domain.store.read.run(expiredLeases, dueOf(domain));
  return runTasks(
    domain,
    leases.map(({ id }) => expiryOf(id)),
  );
}

/** Returns the function that a gateway which is not elected calls instead of the sweep. */
function watchLeases(domain: Domain): () => Promise<void> {
  const { clock, clockGuard, store } = domain;
  let lookAt = Number.NEGATIVE_INFINITY;
  return async () => {
    await recover(domain);
    const now = clock.elapsed();
    if (now < lookAt) return;
    const [next] = await store.read.run(nextExpiry, {});
    const leftMs = next?.at ? next.at.getTime() - clockGuard.dueBy().getTime() : Number.POSITIVE_INFINITY;
    lookAt = now + Math.min(leftMs, WATCH_EVERY_MS);
    if (leftMs <= 0) throwFailures(await expireLeases(domain));
  };
}

async function recover(domain: Domain): Promise<void> {
  const { clockGuard } = domain;
  if (clockGuard.isRecovering) await clockGuard.recover((jumpMs, awaySince) => recoverTimes(domain, jumpMs, awaySince));
}

/** The timeout that a job in each status can reach. */
const overdue: Partial<Record<JobStatus, { transition: JobTransition; cause: Cause }>> = {
  QUEUED: {
    transition: 'fail',
    cause: { reason: 'SCHEDULE_TIMEOUT', description: 'No device claimed a step of the job within its schedule timeout.' },
  },
  RUNNING: { transition: 'fail', cause: runTimeout },
  SUSPENDED: { transition: 'fail', cause: runTimeout },
  CANCELLING: {
    transition: 'cancel',
    cause: { reason: 'CANCEL_TIMEOUT', description: 'A device did not give its step back within the cancel timeout.' },
  },
};

async function endOverdue(change: Change, jobId: string): Promise<void> {
  const { tx, now } = change;
  await lockRounds(change, { jobId, part: 'TRAIN' });
  const steps = await tx.run(lockUnfinishedSteps, { jobId });
  const [job] = await tx.run(lockJob, { id: jobId });
  const due = job && (hasTimedOut(job) ? overdue.RUNNING : overdue[job.status]);
  if (!job || !due || job.deadlineAt === null || job.deadlineAt > now) return;
  // Its devices submit what they have: it may be hours of training.
  if (job.status === 'RUNNING' && steps.some((step) => isHeldStep(step.status))) {
    await requestStop(change, job, steps, due.cause, STOP_SECONDS);
    return;
  }
  await endJob(change, job, due.transition, due.cause);
}

/**
 * Gives every lease its full time again. For the start of a gateway when no other gateway ran: no
 * device could renew, and steps that kept running would count as lost. A device that did die in the
 * meantime is noticed one lease later.
 */
export async function forgiveOutage(domain: Domain): Promise<void> {
  await change(domain, null, ({ tx, now }) => renewLeases(tx, now, 'shorter'));
}

/**
 * Repairs times after the gateway stood still or the wall clock jumped: leases get their full time
 * again, and deadlines keep their distance from now. If other gateways serve the same store, it
 * does nothing: devices renewed with those, and they have their own clocks.
 */
async function recoverTimes(domain: Domain, jumpMs: number, awaySince: Date): Promise<void> {
  if (!(await domain.store.isAlone())) return;
  await change(domain, null, async ({ tx, now }) => {
    await renewLeases(tx, now, 'all');
    await seeDevices(tx, { now, since: new Date(awaySince.getTime() - domain.limits.heartbeatSeconds * 1_000) });
    if (jumpMs !== 0) await shiftDeadlines(tx, jumpMs);
  });
}
