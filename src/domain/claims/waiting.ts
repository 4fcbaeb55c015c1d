/** Waiting for work: in line with all others for what is queued, and alone for room on one's own device. */
import { topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import type { Place, Waker } from '../core/waker.ts';

export interface Wait {
  readonly place: Place;
  /** Until there may be work for the device, or the request is given up; at most so long. Not at all, when that was since the last look. */
  sleep(milliseconds: number): Promise<void>;
  end(): void;
}

export function startWaiting(domain: Domain, wakeups: Waker, deviceId: string | null, signal: AbortSignal | undefined): Wait {
  let isWoken = false;
  let goOn = () => {};
  const wake = () => {
    isWoken = true;
    goOn();
  };
  const place = wakeups.standInLine(wake);
  const stopListening = deviceId ? wakeups.on([topics.device(deviceId)], wake) : () => {};
  signal?.addEventListener('abort', wake, { once: true });
  return {
    place: {
      ...place,
      look() {
        isWoken = false;
        place.look();
      },
    },
    async sleep(milliseconds: number): Promise<void> {
      if (isWoken) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      goOn = resolve;
      const stopTimer = domain.clock.after(milliseconds, resolve);
      await promise;
      stopTimer();
    },
    end() {
      place.leave();
      stopListening();
      signal?.removeEventListener('abort', wake);
    },
  };
}
