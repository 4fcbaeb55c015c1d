import { Refused, RequestRefused, unwrap } from '../client/errors.ts';
import { ClaimNextStepsDocument } from '../client/generated.ts';
import { type Backoff, delayMs, wait } from '../timing/backoff.ts';
import { describeOutcome } from './attempt/report.ts';
import { type Claim, type WorkOptions, workOn } from './attempt/worker.ts';
import type { AgentEvent } from './events.ts';
import { mayRetry } from './retrying.ts';
import { WorkWatch } from './watch.ts';

export interface SlotsOptions {
  readonly work: Omit<WorkOptions, 'onDraining'>;
  readonly deviceId: string;
  readonly projectId: string | undefined;
  readonly slots: number;
  readonly stop: AbortSignal;
  /** Aborted when the agent stops listening for work. */
  readonly beside: AbortSignal;
  readonly emit: (event: AgentEvent) => void;
}

/** While the gateway pushes work: a lost wake-up costs at most this. */
const safetySeconds = 30;

/**
 * While it does not (a lost connection, a proxy that blocks WebSockets), the agent polls this
 * often.
 */
const askingSeconds = 5;

/** After a failed claim. Jitter keeps the agents of a restarted gateway from returning together. */
const backoff: Backoff = { baseMs: 250, capMs: 15_000, random: Math.random };

/**
 * Claims steps for the free slots and runs them until `stop`, then waits for those in progress.
 * Resolves with the exit code: 1 when the gateway refuses this device (its key was revoked or the
 * device deleted), else 0.
 */
export async function runSlots(options: SlotsOptions): Promise<number> {
  const slots = new Slots(options);
  const exitCode = await slots.claimUntilStopped();
  await slots.finish();
  return exitCode;
}

class Slots {
  readonly #options: SlotsOptions;
  readonly #running = new Set<Promise<void>>();
  #isDraining = false;
  /** Something that affects claiming has happened since the last claim was sent. */
  #hasChanged = false;
  #wake = () => {};
  readonly #watch: WorkWatch;

  constructor(options: SlotsOptions) {
    this.#options = options;
    const notify = () => this.#notify();
    this.#watch = new WorkWatch(options.work.client, options.deviceId, options.beside, notify, notify);
    options.stop.addEventListener('abort', notify, { once: true });
  }

  async claimUntilStopped(): Promise<number> {
    const { stop, slots, emit } = this.#options;
    let failures = 0;
    while (!stop.aborted) {
      await this.#freeSlot();
      if (stop.aborted) break;
      this.#hasChanged = false;
      const limit = slots - this.#running.size;
      try {
        const claims = await this.#claim(limit);
        for (const claim of claims) this.#start(claim);
        failures = 0;
        if (claims.length < limit) await this.#waitForChange();
      } catch (error) {
        if (stop.aborted) break;
        if (!mayRetry(error)) {
          if (!(error instanceof RequestRefused || error instanceof Refused)) throw error;
          emit({ kind: 'STOPPED', message: `The gateway no longer gives this device work: ${error.message}` });
          return 1;
        }
        failures += 1;
      }
      if (failures > 0) await wait(delayMs(backoff, failures), stop).catch(() => {});
    }
    return 0;
  }

  /** Waits for all steps in progress. */
  async finish(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Resolves on `stop`, or when a slot is free and the device is not known to be draining. */
  async #freeSlot(): Promise<void> {
    const { stop, slots } = this.#options;
    // Steps in progress learn when draining is over. A device that holds nothing asks; while it
    // drains it is given nothing.
    const mustWait = () => this.#running.size >= slots || (this.#isDraining && this.#running.size > 0);
    while (!stop.aborted && mustWait()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /**
   * Resolves when there may be something to claim: the gateway pushed work, a step ended, or time
   * has passed.
   */
  async #waitForChange(): Promise<void> {
    if (this.#hasChanged) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, (this.#watch.isLive ? safetySeconds : askingSeconds) * 1000);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #notify(): void {
    this.#hasChanged = true;
    this.#wake();
  }

  async #claim(limit: number): Promise<readonly Claim[]> {
    const { work, deviceId, projectId, stop } = this.#options;
    const input = { deviceId, projectId, limit, leaseSeconds: work.leaseSeconds };
    const answer = await work.client.request(ClaimNextStepsDocument, { input }, { signal: stop });
    return unwrap(answer.claimNextSteps).claims;
  }

  #start(claim: Claim): void {
    const { step, lease } = claim;
    const { emit, work } = this.#options;
    const subject = { jobId: step.job.id, stepNumber: step.number, attempt: lease.attempt };
    const title = `Step ${step.number} (${step.name}) of ${step.job.name}, attempt ${lease.attempt},`;
    emit({ kind: 'CLAIMED', ...subject, message: `${title} was claimed.` });
    const working = workOn(claim, { ...work, onDraining: (isDraining) => this.#learnDraining(isDraining) }).then(
      (outcome) => emit({ kind: 'ENDED', ...subject, message: `${title} ${describeOutcome(outcome)}` }),
      (error: Error) => emit({ kind: 'REPORT_FAILED', ...subject, message: `${title} could not be reported: ${error.message}` }),
    );
    this.#running.add(working);
    void working.finally(() => {
      this.#running.delete(working);
      this.#notify();
    });
  }

  #learnDraining(isDraining: boolean): void {
    if (isDraining && !this.#isDraining)
      this.#options.emit({ kind: 'DRAINING', message: 'This device is draining: it claims no more steps.' });
    if (isDraining === this.#isDraining) return;
    this.#isDraining = isDraining;
    this.#notify();
  }
}
