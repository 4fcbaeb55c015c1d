/** Secrets that are shown once and stored as SHA-256: API keys and lease tokens. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { Domain } from '../core/domain.ts';

/** 256 random bits. */
const SECRET_BYTES = 32;

export const hashOf = (secret: string): string => hash('sha256', secret);

export const isSameHash = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

export interface NewKey {
  readonly secret: string;
  readonly hash: string;
  /** The first characters, to tell keys apart. Too few to help guessing. */
  readonly hint: string;
}

export function newKey(domain: Domain): NewKey {
  const secret = `tyk_${domain.random(SECRET_BYTES).toString('base64url')}`;
  return { secret, hash: hashOf(secret), hint: secret.slice(0, 10) };
}

/**
 * A lease token contains its step and attempt, so that the error for a stale token can name the
 * step.
 */
export interface LeaseName {
  readonly stepId: string;
  readonly attempt: number;
}

export function newLeaseToken(domain: Domain, { stepId, attempt }: LeaseName): string {
  return `lease_${stepId.replace('step_', '')}_${attempt}_${domain.random(SECRET_BYTES).toString('base64url')}`;
}

/** Null if it is not a lease token. */
export function parseLeaseToken(token: string): LeaseName | null {
  const match = /^lease_([0-9a-z]{26})_(\d{1,9})_[\w-]{43}$/.exec(token);
  return match?.[1] && match[2] ? { stepId: `step_${match[1]}`, attempt: Number(match[2]) } : null;
}
