import type { Client } from '../client/fetch.ts';
import { ClaimableStepsDocument } from '../client/generated.ts';
import { subscribe } from '../client/subscribe.ts';

/**
 * Hears of work as it comes, by the subscription that is there for it. Waiting inside of a claim would do as well, but a device that dies or stops while it
 * waits may be given a step before anyone has noticed, which then waits for its lease to run out: a claim is only sent to be answered at once.
 */
export class WorkWatch {
  #isLive = false;

  /** Calls `onWork` whenever there may be steps that this device can claim, and `onChange` when it begins or ceases to be told of them. */
  constructor(client: Client, deviceId: string, signal: AbortSignal, onWork: () => void, onChange: () => void) {
    const become = (isLive: boolean) => {
      this.#isLive = isLive;
      onChange();
    };
    const counts = subscribe(client.target, ClaimableStepsDocument, { deviceId }, { signal, onState: (state) => become(state === 'live') });
    const listen = async () => {
      for await (const count of counts) if (count > 0) onWork();
    };
    // Whatever ends it: claims tell what is wrong with the key or the device.
    void listen().then(
      () => become(false),
      () => become(false),
    );
  }

  /** Whether the gateway tells of work now. */
  get isLive(): boolean {
    return this.#isLive;
  }
}
