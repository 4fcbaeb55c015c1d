/** What a browser tells a client about its page and its network. Elsewhere nothing is known. */

interface Emitter {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

interface Page extends Partial<Emitter> {
  readonly document?: Emitter & { readonly visibilityState: string };
  readonly location?: { readonly href: string };
  readonly navigator?: { readonly onLine?: boolean };
}

// Neither Node's types nor a browser's describe both.
const page = globalThis as unknown as Page;

/** The address of the page, which relative URLs are resolved against. */
export function pageAddress(): string | undefined {
  return page.location?.href;
}

/** Whether the browser says that it has no network. A gateway on loopback answers all the same. */
export function isWithoutNetwork(): boolean {
  return page.navigator?.onLine === false;
}

/**
 * Calls back when it is worth to try at once: the network came, went or changed, or the user looks
 * at the page again.
 * @returns Ends it.
 */
export function onWake(wake: () => void): () => void {
  const { document } = page;
  if (document === undefined) return () => {};
  const lookedAt = () => {
    if (document.visibilityState === 'visible') wake();
  };
  const events = ['online', 'offline', 'pageshow'];
  for (const event of events) page.addEventListener?.(event, wake);
  document.addEventListener('visibilitychange', lookedAt);
  return () => {
    for (const event of events) page.removeEventListener?.(event, wake);
    document.removeEventListener('visibilitychange', lookedAt);
  };
}
