/** How many steps a device may claim, told again whenever that changes. */
import { topics } from '../domain/change.ts';
import { keepSeen } from '../domain/devices.ts';
import type { Domain } from '../domain/domain.ts';
import { countClaimable } from '../domain/matching.ts';
import type { Waker } from '../domain/waker.ts';
import { pull } from './pull.ts';

/** The number now, then after each change of the queue while there is any, and when there are none left. Listening keeps the device ONLINE, if it is the device that listens. */
export function claimableCounts(
  domain: Domain,
  wakeups: Waker,
  deviceId: string,
  isDevice = true,
): AsyncIterableIterator<number, undefined> {
  let told: { count: number; news: number } | null = null;
  // A step that is taken while another is queued leaves the number as it was: there is work all the same.
  let news = 0;
  const stopListening = wakeups.on([topics.anyQueue], () => {
    news++;
  });
  return pull<number>(wakeups, domain.clock, {
    topics: [topics.anyQueue, topics.taken, topics.device(deviceId)],
    async look() {
      if (isDevice) await keepSeen(domain, deviceId);
      const now = news;
      const count = await countClaimable(domain, deviceId);
      if (told?.count === count && (count === 0 || told.news === now)) return null;
      told = { count, news: now };
      return { value: count };
    },
    end: stopListening,
  });
}
