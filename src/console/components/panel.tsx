/** A part of a page, and the states that it can be in. */
import type { ComponentChildren } from 'preact';
import { RequestRefused } from '../../client/errors.ts';
import type { Role } from '../generated.ts';

interface PanelProps {
  readonly title: ComponentChildren;
  /** Stands at the right of the title. */
  readonly aside?: ComponentChildren;
  /** Of twelve columns of the page. */
  readonly columns?: 3 | 4 | 6 | 8 | 12;
  readonly children: ComponentChildren;
}

export function Panel({ title, aside, columns = 12, children }: PanelProps) {
  return (
    <section class={`panel w${columns}`}>
      <h2>
        {title}
        {aside !== undefined && <span class="aside">{aside}</span>}
      </h2>
      {children}
    </section>
  );
}

/** Stands where rows will be. It shows after 150 ms only, so that what is fast does not flicker. */
export function Skeleton({ rows = 3 }: { readonly rows?: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: rows }, (_, row) => (
        <i key={row} />
      ))}
    </div>
  );
}

/** Nothing is there: says so, and what to do next. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

/** The viewer's key may not see this: says what would. */
export function Denied({ takes, children }: { readonly takes: Role; readonly children: ComponentChildren }) {
  return (
    <div class="empty" role="note">
      {children} takes the role {takes}.
    </div>
  );
}

interface ProblemProps {
  readonly error: Error;
  readonly onRetry?: (() => void) | undefined;
}

/** What went wrong: the sentence, its code, the request's id, and a way to try again. */
export function Problem({ error, onRetry }: ProblemProps) {
  const code = error instanceof RequestRefused ? error.code : null;
  const requestId = 'requestId' in error && typeof error.requestId === 'string' ? error.requestId : null;
  return (
    <div class="problem" role="alert">
      <p>{code === 'FORBIDDEN' ? `Your key may not see this. ${error.message}` : error.message}</p>
      <p class="faint mono">
        {code} {requestId !== null && `request ${requestId}`}
      </p>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
