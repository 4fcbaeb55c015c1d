import { useLocation } from 'preact-iso';

export interface Address {
  readonly query: Readonly<Record<string, string>>;
  /**
   * Changes parts of the query. Null takes one out.
   * @param isStep whether the browser's way back undoes it
   */
  set(changes: Readonly<Record<string, string | null>>, isStep?: boolean): void;
}

/** The query of the page's address, which holds what the view shows. */
export function useAddress(): Address {
  const { path, query, route } = useLocation();
  return {
    query,
    set(changes, isStep = false) {
      // What is in the bar now: another part may have changed it since this was drawn.
      const next = new URLSearchParams(location.search);
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) next.delete(name);
        else next.set(name, value);
      }
      const search = next.toString().replaceAll('%2C', ',');
      const url = `${path}${search && `?${search}`}`;
      if (!isStep) return route(url, true);
      // The router would scroll to the top, as it does for another page.
      history.pushState(null, '', url);
      dispatchEvent(new PopStateEvent('popstate'));
    },
  };
}
