import { hostname } from 'node:os';
import { Refused, RequestRefused } from '../../client/errors.ts';
import type { ClaimedStepFieldsFragment, LeaseFieldsFragment } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import type { Mask } from '../../text/mask.ts';
import { attemptName } from '../../tunnel/protocol.ts';
import { provideInputs } from '../code/inputs.ts';
import { provideCode } from '../code/provide.ts';
import { Directory } from '../files/directory.ts';
import { createStepFolder, metricsFile, removeStepFolder, type StepFolder } from '../files/folder.ts';
import { MetricsReader, metricsMilliseconds } from '../files/metrics-reader.ts';
import type { GpuPool } from '../machine/gpu-pool.ts';
import { samplePeriodMilliseconds } from '../machine/telemetry.ts';
import type { Containment } from '../process/containment.ts';
import { CannotRunError, EngineAwayError, type RunningStep, type StepExit } from '../process/running.ts';
import { lingerMilliseconds, repeat, TimeLimits, unlessAborted, whenAborted, within } from '../process/time-limits.ts';
import { Delivery } from '../reporting/delivery.ts';
import { handInFragments } from '../reporting/fragments.ts';
import { flushMilliseconds, LogWriter } from '../reporting/log.ts';
import { Outbox } from '../reporting/outbox.ts';
import type { OpenSteps } from '../tunnel/open-steps.ts';
import type { GatewayTunnel } from '../tunnel/tunnel.ts';
import { LeaseKeeper } from './lease.ts';
import { recordProcess } from './orphans.ts';
import { type Outcome, outcomeOfExit, outcomeOfOrder, reportOutcome } from './report.ts';
import { masked, maskOf, reveal } from './secrets.ts';
import { startStep } from './start.ts';

export interface Claim {
  readonly step: ClaimedStepFieldsFragment;
  readonly lease: LeaseFieldsFragment;
  /** The values of the variables of its container that are secret. */
  readonly secretEnv: readonly { readonly name: string; readonly value: string }[];
}

export interface WorkOptions {
  readonly client: Requester;
  /** The agent's folder. */
  readonly workDir: string;
  readonly leaseSeconds: number;
  /** Between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
  /** From which git may clone the code of a job. */
  readonly gitProtocols?: readonly string[] | undefined;
  readonly gpus: GpuPool;
  /** Called when the container engine turns out to be gone. Resolves when the gateway knows. */
  readonly onEngineAway: () => Promise<void>;
  readonly containment: Containment;
  /** The steps that the gateway can reach, and how. */
  readonly steps: OpenSteps;
  readonly tunnel: GatewayTunnel;
  readonly onDraining: (isDraining: boolean) => void;
  /** Aborted when the agent stops and the step has to be given back. */
  readonly release: AbortSignal;
}

/** Everything an attempt needs, from its claim to its end. */
interface Attempt extends WorkOptions {
  readonly claim: Claim;
  readonly folder: StepFolder;
  /**
   * Its work folder, opened before the step runs. It stays the same folder even if the step moves
   * it or puts something else there.
   */
  readonly work: Directory;
  /** Hides the step's secrets. */
  readonly mask: Mask;
  readonly outbox: Outbox;
  readonly log: LogWriter;
  readonly metrics: MetricsReader;
  readonly lease: LeaseKeeper;
  readonly delivery: Delivery;
  readonly timeLimits: TimeLimits;
}

/**
 * Runs a claimed step from start to end: starts its command, follows it, uploads its files,
 * delivers the rest of its reports and reports the outcome. Resolves with that. Rejects only when
 * the outcome could not be reported.
 */
export async function workOn(given: Claim, options: WorkOptions): Promise<Outcome> {
  const claim = reveal(given);
  const lease = new LeaseKeeper(options.client, claim.lease.token, options.leaseSeconds, options.onDraining);
  const timeLimits = new TimeLimits(lease, options.graceSeconds);
  const keeping = lease.keep();
  const release = () => lease.command({ kind: 'RELEASE' });
  if (options.release.aborted) release();
  options.release.addEventListener('abort', release, { once: true });
  try {
    return await carryOut(claim, lease, timeLimits, options);
  } catch (error) {
    // The gateway's refusals and orders to stop are not the device's failure. A full disk here is.
    if (lease.order !== null || error instanceof Refused || error instanceof RequestRefused) throw error;
    const description = `The agent could not run the step: ${error instanceof Error ? error.message : String(error)}`;
    const outcome = masked(
      { kind: 'FAIL', failure: { reason: 'DEVICE_REPORTED', description }, exitCode: null },
      maskOf(claim, options.client),
    );
    return await reportOutcome(options.client, claim.lease.token, outcome, timeLimits.over);
  } finally {
    options.release.removeEventListener('abort', release);
    lease.close();
    await keeping;
  }
}

async function carryOut(claim: Claim, lease: LeaseKeeper, timeLimits: TimeLimits, options: WorkOptions): Promise<Outcome> {
  const attempt = await prepare(claim, lease, timeLimits, options);
  const { over } = timeLimits;
  const delivering = attempt.delivery.run(over);
  // It is awaited below. Until then a rejection must not count as unhandled.
  delivering.catch(() => {});
  const endOutbox = () => attempt.outbox.end();
  // Nothing more will be delivered then, so whoever waits for entries must be woken.
  over.addEventListener('abort', endOutbox, { once: true });
  try {
    const ran = await runCommand(attempt);
    const outcome = await handIn(attempt, ran);
    await settle(attempt);
    await delivering;
    return await report(attempt, outcome);
  } finally {
    over.removeEventListener('abort', endOutbox);
    attempt.outbox.end();
    await delivering.catch(() => {});
    await within(lingerMilliseconds, attempt.metrics.end());
    attempt.outbox.close();
    await attempt.work.close();
    // A large folder takes time. What an ending agent leaves of it, the next one removes.
    await within(lingerMilliseconds, removeStepFolder(attempt.folder));
  }
}

async function prepare(claim: Claim, lease: LeaseKeeper, timeLimits: TimeLimits, options: WorkOptions): Promise<Attempt> {
  const folder = await createStepFolder(options.workDir, claim.step, claim.lease.attempt);
  const outbox = new Outbox(folder.outbox);
  const work = await Directory.open(folder.work);
  const mask = maskOf(claim, options.client);
  const log = new LogWriter((entry) => outbox.add({ kind: 'log', ...entry }), mask);
  const metrics = new MetricsReader(
    metricsFile(work),
    (entry) => outbox.add({ kind: 'metric', ...entry, name: mask.text(entry.name) }),
    (line) => log.note(line),
  );
  const { client } = options;
  // Flushed at once: delivery may only end after this note is in the outbox.
  const note = (line: string) => {
    log.note(line);
    log.flush();
  };
  const delivery = new Delivery({ client, token: claim.lease.token, outbox, lease, note });
  return { ...options, claim, lease, folder, work, mask, outbox, log, metrics, delivery, timeLimits };
}

/** Runs the command with as many GPUs of its own as it asked for. */
async function runCommand(attempt: Attempt): Promise<Outcome> {
  const { claim, gpus: pool, log } = attempt;
  const wanted = claim.step.resources.gpu ?? 0;
  const gpus = pool.isKnown ? pool.take(wanted) : undefined;
  if (gpus === null) {
    const description = `The step asks for ${wanted} GPUs, but this device does not have that many free.`;
    log.note(description);
    return { kind: 'FAIL', failure: { reason: 'DEVICE_REPORTED', description }, exitCode: null };
  }
  try {
    return await runWith(attempt, gpus ?? null);
  } finally {
    pool.giveBack(gpus ?? []);
  }
}

/** Starts the command and follows it until it ends or is ordered to stop. */
async function runWith(attempt: Attempt, gpus: readonly string[] | null): Promise<Outcome> {
  const { claim, folder, client, log, lease, containment } = attempt;
  let running: RunningStep | null = null;
  try {
    const onCommit = (gitCommit: string) => attempt.outbox.add({ kind: 'state', gitCommit });
    const providing = { client, step: claim.step, folder, gitProtocols: attempt.gitProtocols, onCommit, signal: lease.stop };
    await provideCode(providing);
    await provideInputs(providing);
    running = await startStep({
      ...claim,
      folder,
      gpus,
      containment,
      url: client.target.url.replace(/\/+$/, ''),
      onOutput(stream, bytes) {
        log.write(stream, bytes);
        if (isTooFast(attempt)) running?.hold(true);
      },
      note: (line) => log.note(line),
      onPreparing: (description) => attempt.outbox.add({ kind: 'state', reason: 'CONTAINER_CREATING', description }),
      signal: lease.stop,
    });
  } catch (error) {
    if (lease.order !== null) return outcomeOfOrder(lease.order, null);
    if (error instanceof EngineAwayError) {
      log.note(error.message);
      await attempt.onEngineAway();
      return { kind: 'RELEASE', description: error.message };
    }
    if (!(error instanceof CannotRunError)) throw error;
    log.note(error.failure.description);
    return { kind: 'FAIL', failure: error.failure, exitCode: null };
  }
  // A step runs without its record too. Only a later agent could not find it.
  await recordProcess(folder.record, running.pid, running.container).catch((error: Error) =>
    log.note(`The process could not be recorded: ${error.message}`),
  );
  return follow(attempt, running);
}

async function follow(attempt: Attempt, running: RunningStep): Promise<Outcome> {
  const startedAt = new Date().toISOString();
  attempt.outbox.add({ kind: 'state', internalHostname: hostname(), ...describeComputing(attempt, { startedAt }) });
  const ended = new AbortController();
  const close = attempt.steps.add(attemptName(attempt.claim.step.id, attempt.claim.lease.attempt), running);
  const following = [
    repeat(flushMilliseconds, ended.signal, async () => {
      running.hold(isTooFast(attempt));
      noteRefused(attempt);
    }),
    repeat(metricsMilliseconds, ended.signal, () => attempt.metrics.read()),
    repeat(samplePeriodMilliseconds, ended.signal, () => takeSample(attempt, running)),
    recordStart(attempt, running, ended.signal),
  ];
  // The first decides: a command that ended before it was told to stop keeps its outcome.
  const first = await Promise.race([running.exited, whenAborted(attempt.lease.stop, ended.signal)]);
  const exit = first ?? (await stop(attempt, running));
  ended.abort();
  close();
  await within(lingerMilliseconds, Promise.all(following));
  const endedAt = new Date().toISOString();
  attempt.outbox.add({ kind: 'state', ...describeComputing(attempt, { startedAt, endedAt }) });
  const { order } = attempt.lease;
  return order !== null && (first === null || order.kind === 'LOST') ? outcomeOfOrder(order, exit) : outcomeOfExit(exit);
}

/** Ends the command: at once if the lease is lost, even during the grace. */
async function stop({ lease, graceSeconds }: Attempt, running: RunningStep): Promise<StepExit> {
  const kill = () => running.kill();
  if (lease.lost.aborted) kill();
  lease.lost.addEventListener('abort', kill, { once: true });
  try {
    return await running.stop(lease.lost.aborted ? 0 : graceSeconds);
  } finally {
    lease.lost.removeEventListener('abort', kill);
  }
}

function describeComputing({ claim }: Attempt, { startedAt, endedAt }: { startedAt: string; endedAt?: string }) {
  const usesGpu = (claim.step.resources.gpu ?? 0) > 0;
  return {
    computeTime: {
      cpuStartedAt: startedAt,
      ...(endedAt !== undefined && { cpuEndedAt: endedAt }),
      ...(usesGpu && { gpuStartedAt: startedAt, ...(endedAt !== undefined && { gpuEndedAt: endedAt }) }),
    },
  };
}

/**
 * A step that prints faster than the gateway stores is paused, so no lines are lost. While the
 * gateway is away, the step goes on and fills the outbox.
 */
const isTooFast = ({ outbox, delivery }: Attempt) => outbox.isCrowded && delivery.isMoving;

function noteRefused({ outbox, log }: Attempt): void {
  const refused = outbox.takeRefused();
  if (refused > 0)
    log.note(`${refused} pieces of log, metrics and telemetry were dropped: the outbox was full while the gateway was away.`);
}

async function takeSample({ outbox }: Attempt, running: RunningStep): Promise<void> {
  // A failed sample, for want of a file handle for example, is just skipped.
  const sample = await running.meter.sample().catch(() => null);
  if (sample !== null) outbox.add({ kind: 'telemetry', ...sample });
}

/** Reports when a container has started, and where the step's HTTP server is reached. */
async function recordStart({ outbox, claim, tunnel }: Attempt, running: RunningStep, over: AbortSignal): Promise<void> {
  if (!(await running.hasStarted(over))) return;
  if (running.container !== null) outbox.add({ kind: 'state', reason: 'CONTAINER_STARTED', description: '' });
  const { container, job } = claim.step;
  const isProxied = (container?.http?.requiresAuth ?? false) && (await tunnel.isOffered());
  const httpUrl = isProxied ? `/jobs/${job.id}/http/` : await running.findHttpUrl().catch(() => null);
  if (httpUrl !== null) outbox.add({ kind: 'state', httpUrl });
}

/**
 * Uploads the files that a step left, however it ended (P18): the next attempt starts from what a
 * stopped one saved. A step whose files could not be stored has not succeeded, because the next
 * step would look for them.
 */
async function handIn(attempt: Attempt, outcome: Outcome): Promise<Outcome> {
  const { client, claim, work, mask, log, lease, timeLimits } = attempt;
  if (outcome.kind === 'NOTHING') return outcome;
  const signal = timeLimits.handIn();
  try {
    const handing = handInFragments({
      client,
      work,
      jobId: claim.step.job.id,
      stepNumber: claim.step.number,
      leaseToken: claim.lease.token,
      attempt: claim.lease.attempt,
      mask,
      note: (line) => log.note(line),
      signal,
    });
    const problems = await unlessAborted(handing, signal);
    for (const problem of problems) log.note(problem);
    const [problem] = problems;
    if (problem === undefined || outcome.kind !== 'COMPLETE') return outcome;
    return { kind: 'FAIL', failure: { reason: 'DEVICE_REPORTED', description: problem }, exitCode: 0 };
  } catch (error) {
    if (lease.order === null) throw error;
    if (!lease.lost.aborted) log.note('The rest of fragments/ is not uploaded: no time was left after the order to stop.');
    // Ordered to stop before its files were stored, the step did not finish.
    return outcome.kind === 'COMPLETE' ? outcomeOfOrder(lease.order, null) : outcome;
  }
}

/** Takes the last of the metrics and the log. After that the outbox is complete. */
async function settle({ metrics, log, outbox }: Attempt): Promise<void> {
  if (!(await within(lingerMilliseconds, metrics.end()))) log.note('The metrics file could not be read to its end: reading it hangs.');
  log.end();
  outbox.end();
}

async function report({ client, claim, lease, mask, timeLimits }: Attempt, outcome: Outcome): Promise<Outcome> {
  if (lease.lost.aborted) return { kind: 'NOTHING' };
  return reportOutcome(client, claim.lease.token, masked(outcome, mask), timeLimits.over);
}
