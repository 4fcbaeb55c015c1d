/** A place in a job's log, as it stands in the address: `#s1a2`, `#s1a2L120`, `#s1a2L120-L130`. */
export interface LogPlace {
  readonly step: number;
  readonly attempt: number;
  readonly from: number | null;
  readonly to: number | null;
}

export function readPlace(hash: string): LogPlace | null {
  const match = /^#s(\d{1,9})a(\d{1,9})(?:L(\d{1,12})(?:-L(\d{1,12}))?)?$/.exec(hash);
  if (!match) return null;
  const [step, attempt, from, to] = match.slice(1).map((part) => (part === undefined ? null : Number(part)));
  const isReversed = from != null && to != null && to < from;
  return { step: step ?? 0, attempt: attempt ?? 0, from: (isReversed ? to : from) ?? null, to: (isReversed ? from : to) ?? null };
}

/** Puts the place into the address, without a step in the browser's history. */
export function writePlace({ step, attempt, from, to }: LogPlace): void {
  const lines = from === null ? '' : `L${from}${to === null || to === from ? '' : `-L${to}`}`;
  history.replaceState(history.state, '', `#s${step}a${attempt}${lines}`);
}
