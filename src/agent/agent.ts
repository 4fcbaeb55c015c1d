/**
 * The agent: registers this machine as a device, claims steps and runs them, until it is told to stop.
 *
 *     occupy the folder → end orphans → register → claim up to the free slots → work on each claim (worker.ts) → claim again …
 *
 * What to run, and on which device, is the gateway's decision alone: the agent runs what it is given.
 */
import { setMaxListeners } from 'node:events';
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Client } from '../client/fetch.ts';
import { type LabelInput, type ResourcesInput, UpdateDeviceDocument } from '../client/generated.ts';
import { watchClient } from './asking.ts';
import { removeOrphans } from './attempt/orphans.ts';
import { AgentError, occupyFolder, type Registration, registerDevice } from './device.ts';
import type { AgentEvent } from './events.ts';
import { type Offer, Offers } from './machine/offer.ts';
import { type Containment, findContainment } from './process/containment.ts';
import { IsolationError, isolate } from './process/isolation.ts';
import { describeZombies } from './process/zombies.ts';
import { runSlots } from './slots.ts';

export interface AgentOptions {
  /** The gateway's base address. */
  readonly url: string;
  /**
   * A key that may register a device there: an editor's, or the device's own. Used once: the registration answers the device's own, which is kept in
   * `workDir` and used from then on, also at the next start. May be left out where one is kept.
   */
  readonly token?: string | undefined;
  /** Only steps of this project. Default: of all that the key sees. */
  readonly projectId?: string | undefined;
  /** Default: the host's name. The same name takes over the same device. */
  readonly name?: string | undefined;
  readonly labels?: readonly LabelInput[] | undefined;
  /** What the machine offers. Default: what is found on it. */
  readonly resources?: ResourcesInput | undefined;
  /** How many steps to run at the same time. Default: 1. */
  readonly slots?: number | undefined;
  /** The device's key, the steps' working folders and what is not delivered yet; of one agent alone. Default: ./data/agent. */
  readonly workDir?: string | undefined;
  /** Default: 60. */
  readonly leaseSeconds?: number | undefined;
  /** From SIGTERM to SIGKILL, for a step that is told to stop. Default: 10, well within the gateway's default for a cancel (30). */
  readonly graceSeconds?: number | undefined;
  /** How often to look whether a container engine and GPUs have come or gone. Default: 30. */
  readonly lookSeconds?: number | undefined;
  /** Runs process steps as users without rights, with processes, a /tmp and a work folder of their own. Refused where that cannot be done. Default: no. */
  readonly isolate?: { readonly user?: string | undefined } | undefined;
  readonly onEvent?: ((event: AgentEvent) => void) | undefined;
  /** Takes the sentence of each event. */
  readonly log?: ((line: string) => void) | undefined;
  /** Aborted when the agent is to stop. */
  readonly stop: AbortSignal;
  /** What to do then with the steps that it holds. Read when `stop` is aborted. Default: release. */
  readonly stopMode?: 'finish' | 'release' | undefined;
}

/** Runs until `stop` is aborted and what it holds is finished or given back. Answers the exit code: 0, or 1 when the gateway does not let it go on. */
export async function runAgent(options: AgentOptions): Promise<number> {
  const tell = (event: AgentEvent) => {
    options.onEvent?.(event);
    options.log?.(event.message);
  };
  try {
    const name = options.name ?? hostname();
    // Absolute: a step runs in a folder of its own and is told paths.
    const workDir = resolve(options.workDir ?? 'data/agent');
    const leave = await occupyFolder(workDir);
    try {
      const containment = await contain(options, workDir);
      const orphans = await removeOrphans(workDir, containment);
      if (orphans > 0) tell({ kind: 'ORPHANS_REMOVED', message: `Ended ${orphans} steps that an agent before this one left.` });
      tell({ kind: 'CONTAINMENT', message: containment.description });
      const zombies = await describeZombies();
      if (zombies !== null) tell({ kind: 'PROBLEM', message: zombies });
      return await serve(options, { name, workDir, tell, containment });
    } finally {
      await leave();
    }
  } catch (error) {
    if (options.stop.aborted && error === options.stop.reason) return 0;
    if (!(error instanceof AgentError)) throw error;
    tell({ kind: 'STOPPED', message: error.message });
    return 1;
  }
}

/** A gateway that is there answers at once; one that stops with this agent need not hear it. */
const goodbyeSeconds = 1;

interface Setting {
  readonly name: string;
  readonly workDir: string;
  readonly tell: (event: AgentEvent) => void;
  readonly containment: Containment;
}

async function serve(options: AgentOptions, setting: Setting): Promise<number> {
  const { stop, slots = 1, projectId, graceSeconds = 10, leaseSeconds = 60 } = options;
  const { workDir, tell, containment } = setting;
  const offers = await Offers.find(options.resources, tell);
  const { client, deviceId } = await register(options, setting, offers.now);
  // What goes on beside the claims ends with them, also where the gateway ended them: it would keep the process from exiting.
  const over = new AbortController();
  const beside = AbortSignal.any([stop, over.signal]);
  // Never rejects, and ends with the signal.
  void offers.keepLooking(client, deviceId, options.lookSeconds ?? 30, beside);
  const release = new AbortController();
  // Every step listens to it: more listeners than slots would be a leak, more than ten are not.
  setMaxListeners(0, release.signal);
  const onStop = () => {
    const isFinishing = options.stopMode === 'finish';
    tell({ kind: 'STOPPING', message: isFinishing ? 'Stopping: finishes what it holds.' : 'Stopping: gives back what it holds.' });
    if (!isFinishing) release.abort();
  };
  if (stop.aborted) onStop();
  stop.addEventListener('abort', onStop, { once: true });
  try {
    const onEngineAway = () => offers.lookAgain(client, deviceId, beside);
    const attempts = { workDir, leaseSeconds, graceSeconds, gpus: offers.pool, onEngineAway, containment };
    const work = { client, ...attempts, release: release.signal };
    return await runSlots({ work, deviceId, projectId, slots, stop, beside, tell });
  } finally {
    over.abort();
    stop.removeEventListener('abort', onStop);
    await sayGoodbye(client, deviceId);
  }
}

/** So that nobody counts on this device any more. A gateway that does not hear it finds out by the silence. */
async function sayGoodbye(client: Client, deviceId: string): Promise<void> {
  const input = { deviceId, isLeaving: true };
  await client.request(UpdateDeviceDocument, { input }, { timeoutSeconds: goodbyeSeconds }).catch(() => {});
}

async function contain({ isolate: isolation }: AgentOptions, workDir: string): Promise<Containment> {
  if (isolation !== undefined) {
    return isolate({ workDir, user: isolation.user }).catch((error: unknown) => {
      throw error instanceof IsolationError ? new AgentError(error.message, { cause: error }) : error;
    });
  }
  const containment = await findContainment();
  const open = `Process steps are not isolated: they may do what this agent's user may (${userInfo().username}).`;
  return { ...containment, description: `${open} ${containment.description}` };
}

async function register(options: AgentOptions, { name, workDir, tell }: Setting, offer: Offer): Promise<Registration> {
  const { url, token, projectId, labels = [], slots = 1 } = options;
  const onAway = (message: string) =>
    tell({ kind: 'GATEWAY_AWAY', message: `The gateway is away, and is asked again until it is back: ${message}` });
  const onBack = () => tell({ kind: 'GATEWAY_BACK', message: 'The gateway is back.' });
  const wrap = (client: Client) => watchClient(client, onAway, onBack);
  const input = { projectId, name, kind: 'WORKER', labels, slots, ...offer } as const;
  const registration = await registerDevice({ url, token, workDir, wrap }, input, options.stop);
  const { deviceId, deviceName } = registration;
  tell({
    kind: 'REGISTERED',
    deviceId,
    message: `Registered at ${url} as ${deviceName} (${deviceId}) with ${slots} ${slots === 1 ? 'slot' : 'slots'}.`,
  });
  return registration;
}
