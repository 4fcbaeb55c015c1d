/** Who is asking. Made from a key by `authenticate`, handed to everything that decides. */
export type PrincipalKind = 'USER' | 'DEVICE' | 'JOB' | 'WATCH';
export type Role = 'VIEWER' | 'EDITOR' | 'ADMIN';

export interface Principal {
  readonly kind: PrincipalKind;
  /** Only of a USER: what it may do. */
  readonly role: Role | null;
  /** The name that events and owners carry: `user:alice`, `device:gpu-1`, `job:job_…`. */
  readonly name: string;
  /** Null where the principal is not an API key (a lease's token, the gateway itself). */
  readonly keyId: string | null;
  /** The only project it sees; null sees all. */
  readonly projectId: string | null;
  /** Of JOB and WATCH: the only job it sees. */
  readonly jobId: string | null;
  /** Of DEVICE, and of a lease held by one. */
  readonly deviceId: string | null;
  /** Of a lease's token: the step whose attempt it proves. */
  readonly stepId: string | null;
  /** And the attempt's number. */
  readonly attempt: number | null;
  readonly expiresAt: Date | null;
}
