/**
 * What this device offers: what it can run, and with which resources. Checked repeatedly, because
 * engines and GPUs come and go.
 */

import { unwrap } from '../../client/errors.ts';
import { type DeviceCapabilitiesInput, type ResourcesInput, UpdateDeviceDocument } from '../../client/generated.ts';
import type { Requester } from '../../client/request.ts';
import { wait } from '../../timing/backoff.ts';
import type { AgentEvent } from '../events.ts';
import { requestUntilAnswered } from '../retrying.ts';
import { hasEngine } from './engine.ts';
import { GpuPool } from './gpu-pool.ts';
import { surveyGpus } from './nvidia.ts';
import { findResources } from './resources.ts';

export interface Offer {
  readonly resources: ResourcesInput;
  readonly capabilities: DeviceCapabilitiesInput;
}

interface Look extends Offer {
  /** By UUID. Null where nothing is known of GPUs. */
  readonly gpus: readonly string[] | null;
  readonly problems: readonly string[];
}

/** What an agent offers now. Reports changes to the gateway and the operator. */
export class Offers {
  readonly pool = new GpuPool();
  readonly #given: ResourcesInput | undefined;
  readonly #emit: (event: AgentEvent) => void;
  #now: Look;
  #looking: Promise<void> = Promise.resolve();

  private constructor(first: Look, given: ResourcesInput | undefined, emit: (event: AgentEvent) => void) {
    this.#now = first;
    this.#given = given;
    this.#emit = emit;
    this.pool.offer(first.gpus);
    for (const message of first.problems) emit({ kind: 'PROBLEM', message });
  }

  /** `given`: the resources that the operator declared, instead of those that are found. */
  static async find(given: ResourcesInput | undefined, emit: (event: AgentEvent) => void): Promise<Offers> {
    return new Offers(await look(given), given, emit);
  }

  get now(): Offer {
    const { resources, capabilities } = this.#now;
    return { resources, capabilities };
  }

  /**
   * Checks now, and reports changes to the gateway. Resolves when it knows. A failure is left to
   * the next check.
   */
  lookAgain(client: Requester, deviceId: string, signal: AbortSignal): Promise<void> {
    this.#looking = this.#looking.then(() => this.#update(client, deviceId, signal)).catch(() => {});
    return this.#looking;
  }

  /** Checks every `everySeconds`, until the signal. */
  async keepLooking(client: Requester, deviceId: string, everySeconds: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await wait(everySeconds * 1_000, signal).catch(() => {});
      if (!signal.aborted) await this.lookAgain(client, deviceId, signal);
    }
  }

  async #update(client: Requester, deviceId: string, signal: AbortSignal): Promise<void> {
    const before = this.#now;
    const after = await look(this.#given);
    for (const message of after.problems) if (!before.problems.includes(message)) this.#emit({ kind: 'PROBLEM', message });
    // What is gone is no longer handed out, whatever the gateway knows.
    this.pool.offer(after.gpus);
    const capabilities = differs(before.capabilities, after.capabilities) ? after.capabilities : null;
    // Only GPUs may change: cores and memory stay as they were at the start.
    const { gpu, gpuModel } = after.resources;
    const resources = { ...before.resources, gpu: gpu ?? null, gpuModel: gpuModel ?? null };
    const hasOtherGpus = differs([before.resources.gpu, before.resources.gpuModel ?? null], [resources.gpu, resources.gpuModel]);
    if (capabilities !== null || hasOtherGpus) {
      const input = { deviceId, capabilities, resources: hasOtherGpus ? resources : null };
      unwrap((await requestUntilAnswered(client, UpdateDeviceDocument, { input }, { signal })).updateDevice);
    }
    this.#now = { ...after, resources: hasOtherGpus ? resources : before.resources };
    if (capabilities !== null) {
      const isThere = capabilities.runs?.includes('CONTAINER');
      this.#emit({
        kind: 'OFFER_CHANGED',
        message: isThere ? 'Docker is available: this device runs containers.' : 'Docker is unavailable: this device runs no containers.',
      });
    }
    if (hasOtherGpus) this.#emit({ kind: 'OFFER_CHANGED', message: `Offers ${gpu ?? 0} GPUs now.` });
  }
}

async function look(given: ResourcesInput | undefined): Promise<Look> {
  const [hasContainers, { units, problems }] = await Promise.all([hasEngine(), surveyGpus()]);
  return {
    resources: given ?? findResources(units ?? []),
    // A step without a container is only for devices that list its name.
    capabilities: { runs: hasContainers ? ['CONTAINER', 'PROCESS'] : ['PROCESS'], stepNames: [] },
    gpus: units?.map(({ id }) => id) ?? null,
    problems,
  };
}

const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
