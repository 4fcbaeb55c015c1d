import { ClaimableStepsDocument } from '../client/generated.ts';
import { subscribe } from '../client/node/subscribe.ts';
import type { Requester } from '../client/request.ts';

/**
 * Learns of new work through the subscription. A claim could wait in the gateway instead. But a
 * device that dies while its claim waits may be given a step before anyone notices, and that step
 * then waits for its lease to run out. So a claim is only sent to be answered at once.
 */
export class WorkWatch {
  #isLive = false;

  /**
   * Calls `onWork` when there may be claimable steps, and `onChange` when the subscription goes
   * live or down.
   */
  constructor(client: Requester, deviceId: string, signal: AbortSignal, onWork: () => void, onChange: () => void) {
    const become = (isLive: boolean) => {
      this.#isLive = isLive;
      onChange();
    };
    const counts = subscribe(client.target, ClaimableStepsDocument, { deviceId }, { signal, onState: (state) => become(state === 'live') });
    const listen = async () => {
      for await (const count of counts) if (count > 0) onWork();
    };
    // Claims report what is wrong with the key or the device.
    void listen().then(
      () => become(false),
      () => become(false),
    );
  }

  /** Whether the subscription is live. */
  get isLive(): boolean {
    return this.#isLive;
  }
}
