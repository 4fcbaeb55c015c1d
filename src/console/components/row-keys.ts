/** The keyboard of a list: `j` and `k` choose a row, Enter opens it. */
import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useLocation } from 'preact-iso';
import { addKeys } from './keys.ts';

/**
 * @param paths the address that each row opens
 * @returns the index of the chosen row, -1 until one was chosen
 */
export function useRowKeys(paths: readonly string[]): ReadonlySignal<number> {
  const { route } = useLocation();
  const chosen = useSignal(-1);
  useEffect(() => {
    const choose = (index: number) => {
      chosen.value = Math.min(paths.length - 1, Math.max(0, index));
      document.querySelector('tr[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
    };
    return addKeys({
      j: () => choose(chosen.value + 1),
      k: () => choose(chosen.value - 1),
      Enter: () => {
        const path = paths[chosen.value];
        if (path !== undefined) route(path);
      },
    });
  }, [paths.join(), route, chosen]);
  return chosen;
}
