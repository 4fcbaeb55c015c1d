/** How many steps a device may claim, told again whenever that changes. */

import { hashOf } from '../domain/access/secrets.ts';
import { topics } from '../domain/core/change.ts';
import type { Domain } from '../domain/core/domain.ts';
import type { Waker } from '../domain/core/waker.ts';
import { recordSeen } from '../domain/steps/devices.ts';
import { claimableBy } from '../domain/steps/matching.ts';
import { pull } from './pull.ts';

/**
 * The number now, then whenever the steps that the device may claim change: a step that is taken while another is queued leaves the number as it
 * was, and is told of. Listening keeps the device ONLINE, if it is the device that listens.
 */
export function claimableCounts(
  domain: Domain,
  wakeups: Waker,
  deviceId: string,
  isDevice = true,
): AsyncIterableIterator<number, undefined> {
  let told: string | null = null;
  return pull<number>(wakeups, domain.clock, {
    topics: [topics.anyQueue, topics.taken, topics.device(deviceId)],
    async look() {
      if (isDevice) await recordSeen(domain, deviceId);
      const steps = await claimableBy(domain, deviceId);
      // Queued again is queued anew: whoever found it taken may try again.
      const now = hashOf(JSON.stringify(steps.map(({ id, queuedAt }) => [id, queuedAt]).toSorted()));
      if (now === told) return null;
      told = now;
      return { value: steps.length };
    },
  });
}
