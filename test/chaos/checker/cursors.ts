/**
 * Cursors are opaque to clients. The checker decodes them to know which rows belong between two of
 * them.
 */

export interface Place {
  readonly kind: string;
  /** Empty for the feed. */
  readonly jobId: string;
  readonly seq: number;
}

export function readCursor(cursor: string): Place {
  const [, kind = '', jobId = '', seq = ''] = Buffer.from(cursor, 'base64url').toString().split('.');
  return { kind, jobId, seq: Number(seq) };
}
