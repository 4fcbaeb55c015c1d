/**
 * The agent registers this machine as a device, then claims and runs steps until it is stopped.
 *
 *     occupy the folder → end orphans → register → claim up to the free slots
 *       → work on each claim (worker.ts) → claim again …
 *
 * The gateway alone decides what runs on which device. The agent runs what it is given.
 */
import { setMaxListeners } from 'node:events';
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { type LabelInput, type ResourcesInput, UpdateDeviceDocument } from '../client/generated.ts';
import type { Requester } from '../client/request.ts';
import { removeOrphans } from './attempt/orphans.ts';
import { AgentError, occupyFolder, type Registration, registerDevice } from './device.ts';
import type { AgentEvent } from './events.ts';
import { reportMachine } from './machine/machine-telemetry.ts';
import { type Offer, Offers } from './machine/offer.ts';
import { type Containment, findContainment } from './process/containment.ts';
import { IsolationError, isolate } from './process/isolation.ts';
import { describeZombies } from './process/zombies.ts';
import { watchClient } from './retrying.ts';
import { runSlots } from './slots.ts';
import { OpenSteps } from './tunnel/open-steps.ts';
import { GatewayTunnel } from './tunnel/tunnel.ts';

export interface AgentOptions {
  /** The gateway's base address. */
  readonly url: string;
  /**
   * A key that may register a device there: an editor's, or the device's own. It is used once: the
   * registration returns the device's own key. That one is kept in `workDir` and used from then on,
   * also after a restart. May be omitted if a key is kept there.
   */
  readonly token?: string | undefined;
  /** The secret of a join link, which makes this machine a device. Not used again once it is. */
  readonly joinSecret?: string | undefined;
  /** Claim only steps of this project. Default: all projects that the key can see. */
  readonly projectId?: string | undefined;
  /** Default: the host name. Registering a name again takes over that device. */
  readonly name?: string | undefined;
  readonly labels?: readonly LabelInput[] | undefined;
  /** What the machine offers. Default: what the agent finds. */
  readonly resources?: ResourcesInput | undefined;
  /** How many steps to run at the same time. Default: 1. */
  readonly slots?: number | undefined;
  /**
   * Holds the device's key, the steps' work folders and reports not yet delivered. For one agent
   * alone. Default: ./data/agent.
   */
  readonly workDir?: string | undefined;
  /** Default: 60. */
  readonly leaseSeconds?: number | undefined;
  /**
   * Seconds from SIGTERM to SIGKILL when a step is stopped. Default: 10, well within the gateway's
   * 30 for a cancel.
   */
  readonly graceSeconds?: number | undefined;
  /** From which git may clone the code of a job. Default: https, http, ssh and git. */
  readonly gitProtocols?: readonly string[] | undefined;
  /** How often to check whether a container engine or GPUs have come or gone. Default: 30. */
  readonly lookSeconds?: number | undefined;
  /** How often to report what the whole machine uses. Default: 10. */
  readonly telemetrySeconds?: number | undefined;
  /**
   * Runs each process step as an unprivileged user, with its own processes, /tmp and work folder.
   * The agent refuses to start where that is impossible. Default: no isolation.
   */
  readonly isolate?: { readonly user?: string | undefined } | undefined;
  readonly onEvent?: ((event: AgentEvent) => void) | undefined;
  /** Receives each event's message. */
  readonly log?: ((line: string) => void) | undefined;
  /** Aborted when the agent is to stop. */
  readonly stop: AbortSignal;
  /** What to do with held steps on stop. Read when `stop` is aborted. Default: release. */
  readonly stopMode?: 'finish' | 'release' | undefined;
}

/**
 * Runs until `stop` is aborted and every held step is finished or given back. Resolves with the
 * exit code: 0, or 1 when the gateway refuses this agent.
 */
export async function runAgent(options: AgentOptions): Promise<number> {
  const emit = (event: AgentEvent) => {
    options.onEvent?.(event);
    options.log?.(event.message);
  };
  try {
    const name = options.name ?? hostname();
    // Absolute, because a step runs in its own folder and is given paths.
    const workDir = resolve(options.workDir ?? 'data/agent');
    const leave = await occupyFolder(workDir);
    try {
      const containment = await contain(options, workDir);
      const orphans = await removeOrphans(workDir, containment);
      if (orphans > 0) emit({ kind: 'ORPHANS_REMOVED', message: `Ended ${orphans} steps that an earlier agent left behind.` });
      emit({ kind: 'CONTAINMENT', message: containment.description });
      const zombies = await describeZombies();
      if (zombies !== null) emit({ kind: 'PROBLEM', message: zombies });
      return await serve(options, { name, workDir, emit, containment });
    } finally {
      await leave();
    }
  } catch (error) {
    if (options.stop.aborted && error === options.stop.reason) return 0;
    if (!(error instanceof AgentError)) throw error;
    emit({ kind: 'STOPPED', message: error.message });
    return 1;
  }
}

/**
 * A gateway that is up answers at once. One that stops together with this agent need not hear it.
 */
const leavingSeconds = 1;

interface Setup {
  readonly name: string;
  readonly workDir: string;
  readonly emit: (event: AgentEvent) => void;
  readonly containment: Containment;
}

async function serve(options: AgentOptions, setup: Setup): Promise<number> {
  const { stop, slots = 1, projectId, graceSeconds = 10, leaseSeconds = 60 } = options;
  const { workDir, emit, containment } = setup;
  const offers = await Offers.find(options.resources, emit);
  const { client, deviceId } = await register(options, setup, offers.now);
  // Background work ends with the claims, also when the gateway ends them. Otherwise it would keep
  // the process alive.
  const over = new AbortController();
  const beside = AbortSignal.any([stop, over.signal]);
  // Neither rejects. Both end with the signal.
  void offers.keepLooking(client, deviceId, options.lookSeconds ?? 30, beside);
  const hasGpus = () => offers.pool.isKnown;
  void reportMachine({ client, deviceId, everySeconds: options.telemetrySeconds ?? 10, hasGpus, signal: beside });
  const release = new AbortController();
  // Every step listens to it, so more than ten listeners are no leak.
  setMaxListeners(0, release.signal);
  const onStop = () => {
    const isFinishing = options.stopMode === 'finish';
    emit({
      kind: 'STOPPING',
      message: isFinishing ? 'Stopping: finishing the steps in progress.' : 'Stopping: giving back the steps in progress.',
    });
    if (!isFinishing) release.abort();
  };
  if (stop.aborted) onStop();
  stop.addEventListener('abort', onStop, { once: true });
  try {
    const onEngineAway = () => offers.lookAgain(client, deviceId, beside);
    const steps = new OpenSteps();
    const tunnel = new GatewayTunnel(client.target, steps);
    // Steps in progress stay reachable while an agent that stops finishes them.
    void tunnel.keep(over.signal);
    const attempts = {
      workDir,
      steps,
      tunnel,
      leaseSeconds,
      graceSeconds,
      gitProtocols: options.gitProtocols,
      gpus: offers.pool,
      onEngineAway,
      containment,
    };
    const work = { client, ...attempts, release: release.signal };
    return await runSlots({ work, deviceId, projectId, slots, stop, beside, emit });
  } finally {
    over.abort();
    stop.removeEventListener('abort', onStop);
    await announceLeaving(client, deviceId);
  }
}

/**
 * Tells the gateway that this device is leaving. A gateway that does not hear it notices the
 * silence.
 */
async function announceLeaving(client: Requester, deviceId: string): Promise<void> {
  const input = { deviceId, isLeaving: true };
  await client.request(UpdateDeviceDocument, { input }, { timeoutSeconds: leavingSeconds }).catch(() => {});
}

async function contain({ isolate: isolation }: AgentOptions, workDir: string): Promise<Containment> {
  if (isolation !== undefined) {
    return isolate({ workDir, user: isolation.user }).catch((error: unknown) => {
      throw error instanceof IsolationError ? new AgentError(error.message, { cause: error }) : error;
    });
  }
  const containment = await findContainment();
  const open = `Process steps are not isolated: they may do whatever this agent's user may (${userInfo().username}).`;
  return { ...containment, description: `${open} ${containment.description}` };
}

async function register(options: AgentOptions, { name, workDir, emit }: Setup, offer: Offer): Promise<Registration> {
  const { url, token, joinSecret, projectId, labels = [], slots = 1 } = options;
  const onAway = (message: string) => emit({ kind: 'GATEWAY_AWAY', message: `The gateway is away; retrying until it is back: ${message}` });
  const onBack = () => emit({ kind: 'GATEWAY_BACK', message: 'The gateway is back.' });
  const wrap = (client: Requester) => watchClient(client, onAway, onBack);
  const input = { projectId, name, kind: 'WORKER', labels, slots, ...offer } as const;
  const registration = await registerDevice({ url, token, joinSecret, workDir, wrap }, input, options.stop);
  const { deviceId, deviceName } = registration;
  emit({
    kind: 'REGISTERED',
    deviceId,
    message: `Registered at ${url} as ${deviceName} (${deviceId}) with ${slots} ${slots === 1 ? 'slot' : 'slots'}.`,
  });
  return registration;
}
