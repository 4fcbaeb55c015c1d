/** Reads again what a stream says has changed. */
import { type ReadonlySignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

/** However often it changes, it is read at most this often. */
const REST_MS = 1_000;

/**
 * Calls `refresh` after each change of `sign`, at most once a second. What a live list begins with
 * counts as one change: something may have happened between the read and the subscription.
 */
export function useRefreshOn(sign: ReadonlySignal<unknown>, refresh: () => void): void {
  const readAt = useRef(performance.now());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const newest = useRef(refresh);
  newest.current = refresh;
  useSignalEffect(() => {
    if (sign.value === undefined || timer.current !== undefined) return;
    timer.current = setTimeout(
      () => {
        timer.current = undefined;
        readAt.current = performance.now();
        newest.current();
      },
      Math.max(0, readAt.current + REST_MS - performance.now()),
    );
  });
  useEffect(() => () => clearTimeout(timer.current), []);
}
