/** What keeps a store from doing its work for now: nothing is wrong with the request, and the same one may be done later. */

/**
 * FULL: the disk has no room. FAILING: it reads or writes with errors. SLOW: a file cannot be read in its time. AWAY: the database does not answer.
 * BUSY: another program holds it. MOVED: its file is not where it was. REPLACED: another state of it answers than the one that was opened.
 */
export type Obstacle = 'FULL' | 'FAILING' | 'SLOW' | 'AWAY' | 'BUSY' | 'MOVED' | 'REPLACED';

const sentences: Readonly<Record<Obstacle, string>> = {
  FULL: "The gateway's disk is full.",
  FAILING: "The gateway's disk fails: its log says how.",
  SLOW: "The gateway's disk is too slow at the moment.",
  AWAY: 'The gateway cannot reach its database at the moment.',
  BUSY: 'Another program holds the database of the gateway at the moment.',
  MOVED: "The file of the gateway's database was moved, removed or replaced: it has to be put back.",
  REPLACED: 'The database of the gateway was replaced by another state of it, and the gateway ends, to be started on that one.',
};

/** Answered with the code UNAVAILABLE: trying again is right. */
export class StoreUnavailable extends Error {
  readonly obstacle: Obstacle;
  /** Whether what was asked for may have been done all the same. */
  readonly isOpen: boolean;

  constructor(obstacle: Obstacle, { cause, isOpen = false }: { cause: unknown; isOpen?: boolean }) {
    const outcome = isOpen ? 'Whether this was done is not known' : 'Nothing was changed';
    super(`${sentences[obstacle]} ${outcome}; try again later.`, { cause });
    this.obstacle = obstacle;
    this.isOpen = isOpen;
  }
}

/** Whether it failed while it was being made durable: who undoes now what a row may speak of would leave a row that lies. */
export const isOpenStill = (error: unknown): boolean => error instanceof StoreUnavailable && error.isOpen;

/** What an error says of the store, if it says that the store cannot do its work for now; null for every other error. */
export function unavailabilityOf(error: unknown, { isOpen = false }: { isOpen?: boolean } = {}): StoreUnavailable | null {
  if (error instanceof StoreUnavailable) return error;
  // Drizzle wraps what a driver throws.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof StoreUnavailable) return cause;
  const obstacle = obstacleOf(cause);
  return obstacle ? new StoreUnavailable(obstacle, { cause: error, isOpen }) : null;
}

const codes: readonly (readonly [RegExp, Obstacle])[] = [
  // 53100: disk_full.
  [/^(SQLITE_FULL|ENOSPC|EDQUOT|EFBIG|53100)$/, 'FULL'],
  [/^(SQLITE_(IOERR|READONLY|CANTOPEN)\w*|EIO|EROFS|58030)$/, 'FAILING'],
  [/^SQLITE_(BUSY|LOCKED)\w*$/, 'BUSY'],
  // 08: connection exceptions; 25P03: a transaction stood still; 53300: too_many_connections; 57P: the server is shutting down, has crashed, or does not
  // take connections yet.
  // 57014: the server gave up on a statement whose time was over.
  [/^(08\w{3}|25P03|53300|57014|57P0\d|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/, 'AWAY'],
];

/** What the driver of PostgreSQL says of a statement that was not answered in time. */
export const UNANSWERED = 'Query read timeout';

function obstacleOf(error: unknown): Obstacle | null {
  if (!(error instanceof Error)) return null;
  const code = 'code' in error ? String(error.code) : '';
  const known = codes.find(([pattern]) => pattern.test(code));
  if (known) return known[1];
  // The driver of PostgreSQL has no code for these.
  if (error.message === UNANSWERED) return 'AWAY';
  if (
    /^(Connection terminated|timeout exceeded when trying to connect|Client (has encountered a connection error|was closed))/.test(
      error.message,
    )
  )
    return 'AWAY';
  // Several addresses were tried, each in vain.
  return error instanceof AggregateError && error.errors.length > 0 ? obstacleOf(error.errors[0]) : null;
}
