/** Failures of the store that are no fault of the request: the same request may succeed later. */

/**
 * FULL: the disk is full. FAILING: it has I/O errors. SLOW: a file cannot be read in time. AWAY:
 * the database does not answer. BUSY: another program has locked it. MOVED: its file is no longer
 * at its path. REPLACED: a state of it answers that is not the one that was opened.
 */
export type Obstacle = 'FULL' | 'FAILING' | 'SLOW' | 'AWAY' | 'BUSY' | 'MOVED' | 'REPLACED';

const sentences: Readonly<Record<Obstacle, string>> = {
  FULL: "The gateway's disk is full.",
  FAILING: "The gateway's disk fails. Its log has the details.",
  SLOW: "The gateway's disk is too slow at the moment.",
  AWAY: 'The gateway cannot reach its database at the moment.',
  BUSY: 'Another program holds the database of the gateway at the moment.',
  MOVED: "The file of the gateway's database was moved, removed or replaced. It must be put back.",
  REPLACED: "The gateway's database was replaced by another state of it. The gateway ends, and must be started again.",
};

/** Sent with the code UNAVAILABLE: clients should try again. */
export class StoreUnavailable extends Error {
  readonly obstacle: Obstacle;
  /** Whether the request may have been carried out anyway. */
  readonly isOpen: boolean;

  constructor(obstacle: Obstacle, { cause, isOpen = false }: { cause: unknown; isOpen?: boolean }) {
    const outcome = isOpen ? 'Whether this was done is not known' : 'Nothing was changed';
    super(`${sentences[obstacle]} ${outcome}; try again later.`, { cause });
    this.obstacle = obstacle;
    this.isOpen = isOpen;
  }
}

/**
 * Whether the write failed while it was being made durable. Its row may be there, so what the row
 * refers to must not be undone.
 */
export const isOpenStill = (error: unknown): boolean => error instanceof StoreUnavailable && error.isOpen;

/**
 * Returns an error that says that the store does not work at present. Null for every other error.
 */
export function unavailabilityOf(error: unknown, { isOpen = false }: { isOpen?: boolean } = {}): StoreUnavailable | null {
  if (error instanceof StoreUnavailable) return error;
  // Drizzle wraps the errors of drivers.
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
  // 08: connection exceptions; 25P03: a transaction was idle for too long; 53300:
  // too_many_connections; 57P: the server is shutting down, has crashed, or does not accept
  // connections yet; 57014: the server cancelled a statement at its time limit.
  [/^(08\w{3}|25P03|53300|57014|57P0\d|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/, 'AWAY'],
];

/** The message of PostgreSQL's driver for a statement that was not answered in time. */
export const UNANSWERED = 'Query read timeout';

function obstacleOf(error: unknown): Obstacle | null {
  if (!(error instanceof Error)) return null;
  const code = 'code' in error ? String(error.code) : '';
  const known = codes.find(([pattern]) => pattern.test(code));
  if (known) return known[1];
  // PostgreSQL's driver has no code for these.
  if (error.message === UNANSWERED) return 'AWAY';
  if (
    /^(Connection terminated|timeout exceeded when trying to connect|Client (has encountered a connection error|was closed))/.test(
      error.message,
    )
  )
    return 'AWAY';
  // Several addresses were tried without success.
  return error instanceof AggregateError && error.errors.length > 0 ? obstacleOf(error.errors[0]) : null;
}

/**
 * Whether PostgreSQL refused a text because it has the character NUL. Names and texts are checked
 * before, so it is an id, and no such id exists.
 */
export function isNulRefused(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if ('code' in cause && cause.code === '22021') return true;
  return false;
}
