/** Waiting for work: in the wait queue for steps that are queued, and by topic for what frees the claimant's own device. */
import { topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import type { Ticket, Waker } from '../core/waker.ts';

export interface Wait {
  readonly ticket: Ticket;
  /** Resolves when there may be work for the device, when the request is given up, or after so many milliseconds; at once if it was woken since the last look began. */
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
  const ticket = wakeups.joinWaitQueue(wake);
  const stopListening = deviceId ? wakeups.on([topics.device(deviceId)], wake) : () => {};
  signal?.addEventListener('abort', wake, { once: true });
  return {
    ticket: {
      ...ticket,
      startLook() {
        isWoken = false;
        ticket.startLook();
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
      ticket.leave();
      stopListening();
      signal?.removeEventListener('abort', wake);
    },
  };
}
