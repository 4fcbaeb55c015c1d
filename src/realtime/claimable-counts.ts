/** The number of steps that a device may claim, sent again whenever they change. */

import { hashOf } from '../domain/access/secrets.ts';
import { topics } from '../domain/core/change.ts';
import type { Domain } from '../domain/core/domain.ts';
import type { Waker } from '../domain/core/waker.ts';
import { recordSeen } from '../domain/steps/devices.ts';
import { claimableBy } from '../domain/steps/matching.ts';
import { pull } from './pull.ts';

/**
 * Yields the number now, and again whenever the device's claimable steps change. If one is taken
 * while another is queued, the number is the same, and is still sent. A device that subscribes
 * stays ONLINE.
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
      // A step that was queued again counts as new: a device that found it taken may try again.
      const now = hashOf(JSON.stringify(steps.map(({ id, queuedAt }) => [id, queuedAt]).toSorted()));
      if (now === told) return null;
      told = now;
      return { value: steps.length };
    },
  });
}
