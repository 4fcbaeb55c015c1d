import { formatAgo, formatDuration, formatExact, secondsBetween } from '../format/time.ts';
import { now } from '../streams/clock.ts';

/** `3 min ago`, with the exact time on hover. */
export function Ago({ at }: { readonly at: string | null | undefined }) {
  if (!at) return <span class="faint">–</span>;
  return (
    <time dateTime={at} title={formatExact(at)}>
      {formatAgo(at, now.value)}
    </time>
  );
}

interface TookProps {
  readonly from: string | null | undefined;
  /** Null while it runs: then it counts on. */
  readonly to: string | null | undefined;
}

/** `12m 04s` */
export function Took({ from, to }: TookProps) {
  if (!from) return <span class="faint">–</span>;
  return <span class="mono">{formatDuration(secondsBetween(from, to ?? now.value))}</span>;
}
