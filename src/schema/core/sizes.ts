/**
 * How many nodes the lists of the schema hold, as far as that can be said before anything is read:
 * what an operation costs is worked out from it (server/execution/cost.ts).
 *
 * Lists in pages hold what `first` or `last` ask for. The others have an estimate, as the option
 * `size` of their field: what there usually is, not what there can be at most, since an estimate
 * that is never reached refuses what would have been no trouble.
 */

/** The arguments that say how much of something is asked for, in whatever field. */
export const sizeArguments = ['first', 'last', 'ids', 'names', 'jobIds', 'maxPoints', 'maxBytes', 'lines'] as const;
export type SizeArgument = (typeof sizeArguments)[number];

export interface Size {
  /** The arguments that say it, the first that is given. Of a list: how many entries it has. */
  readonly by: readonly SizeArgument[];
  /** Where none of them is given. */
  readonly usually: number;
  /** How many entries count as one node. */
  readonly perNode: number;
  /** Nodes that it counts as in any case, because reading it takes more than its answer shows. */
  readonly besides?: number;
  /** Whether the arguments ask for a page, of which the size is limited. */
  readonly isPage: boolean;
  /** For a list of pages: the size of each. */
  readonly each?: Size;
}

const estimated = (usually: number): Size => ({ by: [], usually, perNode: 1, isPage: false });

/** Rows that belong to one thing, such as the attempts of a step. */
export const FEW = estimated(3);
/** Rows of their own that are many for some: the steps of a job, the participants of a round. */
export const SOME = estimated(10);
/** Values that jobs are counted by. Counting them reads many more rows than that. */
export const MANY = estimated(100);
/** Read with the thing that they belong to, in one row, like labels: together they count as one. */
export const IN_ITS_ROW = estimated(1);
/** What a frame holds for who keeps up. A replay's frames hold some hundred, read in one go. */
export const A_FRAME = estimated(20);
/** The entries of a page: the field that answers the page has its size. */
export const IN_ITS_PAGE = 'IN_ITS_PAGE';

/** Entries of one page, where its arguments do not say: of a connection, of a range of a stream. */
export const CONNECTION_SIZE = 25;
export const STREAM_PAGE_SIZE = 100;

/** Of a field with these arguments that answers this type; null: it answers no page. */
export function sizeOfPage(args: Readonly<Record<string, unknown>>, type: string): Size | null {
  const by = (['first', 'last'] as const).filter((name) => name in args);
  if (by.length === 0) return null;
  return { by, usually: type.endsWith('Page') ? STREAM_PAGE_SIZE : CONNECTION_SIZE, perNode: 1, isPage: true };
}

/** Of a condition that no index serves: what it costs (server/execution/cost.ts). */
export const WALK = { cost: 100 };
