/**
 * Waiting for work. The wait queue wakes a claim for queued steps; a topic wakes it when its own
 * device gets free capacity.
 */
import { topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import type { Ticket, Waker } from '../core/waker.ts';

export interface Wait {
  readonly ticket: Ticket;
  /**
   * Resolves when there may be work for the device, when the request is aborted, or after this many
   * milliseconds. Resolves at once if it was woken since the last look began. Returns whether it
   * was woken.
   */
  sleep(milliseconds: number): Promise<boolean>;
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
    async sleep(milliseconds: number): Promise<boolean> {
      if (isWoken) return true;
      const { promise, resolve } = Promise.withResolvers<void>();
      goOn = resolve;
      const stopTimer = domain.clock.after(milliseconds, resolve);
      await promise;
      stopTimer();
      return isWoken;
    },
    end() {
      ticket.leave();
      stopListening();
      signal?.removeEventListener('abort', wake);
    },
  };
}
