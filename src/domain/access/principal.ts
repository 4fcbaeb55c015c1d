/**
 * The principal: who sends a request. `authenticate` makes it from a key; every decision about
 * rights takes it.
 */
export type PrincipalKind = 'USER' | 'DEVICE' | 'JOB' | 'WATCH';
export type Role = 'VIEWER' | 'EDITOR' | 'ADMIN';

export interface Principal {
  readonly kind: PrincipalKind;
  /** Only for USER keys: their role. */
  readonly role: Role | null;
  /** The name in events and owners: `user:alice`, `device:gpu-1`, `job:job_…`. */
  readonly name: string;
  /** Null if the principal is not an API key (a lease token, the gateway itself). */
  readonly keyId: string | null;
  /** The only project that it sees. Null: it sees all. */
  readonly projectId: string | null;
  /** For JOB and WATCH keys: the only job that it sees. */
  readonly jobId: string | null;
  /** For DEVICE keys, and for leases held by a device. */
  readonly deviceId: string | null;
  /** For lease tokens: the step. */
  readonly stepId: string | null;
  /** For lease tokens: the number of the attempt. */
  readonly attempt: number | null;
  readonly expiresAt: Date | null;
}
