import { type ReadonlySignal, useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';

/** What is nearly in view is made ready. */
const MARGIN = '160px';

/** Whether the element can be seen, or will be soon. */
export function useInView(element: RefObject<Element | null>): ReadonlySignal<boolean> {
  const isInView = useSignal(false);
  useEffect(() => {
    if (!element.current) return;
    const observer = new IntersectionObserver(
      (entries) => {
        isInView.value = entries.at(-1)?.isIntersecting ?? false;
      },
      { rootMargin: MARGIN },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element, isInView]);
  return isInView;
}
