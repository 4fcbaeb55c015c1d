/** Pages of a list by cursor. Each page has its address. */
import { useLocation } from 'preact-iso';
import { formatCount } from '../format/numbers.ts';

interface PagerProps {
  readonly shown: number;
  readonly total: number;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

export function Pager({ shown, total, pageInfo: { hasNextPage, endCursor } }: PagerProps) {
  const { query } = useLocation();
  const isFirst = query.after === undefined;
  if (isFirst && !hasNextPage) return null;
  return (
    <nav class="pager" aria-label="Pages of the list">
      <span class="muted">
        {formatCount(shown)} of {formatCount(total)}
      </span>
      {!isFirst && <a href={addressWith({ after: null })}>First page</a>}
      {hasNextPage && <a href={addressWith({ after: endCursor })}>Next page</a>}
    </nav>
  );
}

/** The address of this page with other values in its query. Null takes a value out. */
export function addressWith(changes: Readonly<Record<string, string | null>>): string {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text === '' ? location.pathname : `${location.pathname}?${text}`;
}
