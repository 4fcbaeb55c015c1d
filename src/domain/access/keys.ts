/** API keys: authentication, and creating a key. */

import { insertApiKey, keyByHash, noteKeyUse } from '../../store/queries/keys.ts';
import { stepById } from '../../store/queries/rows.ts';
import type { ApiKeyRow, StepRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Change } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { isHeldStep } from '../core/lifecycle.ts';
import type { Principal } from './principal.ts';
import { hashOf, isSameHash, newKey, parseLeaseToken } from './secrets.ts';

/**
 * The last use of a key is stored at most this often: a write per request would cost more than the
 * request.
 */
const NOTE_USE_EVERY_MS = 60_000;
const SCHEME = /^Bearer +(\S{1,512})$/i;

/**
 * Returns the principal of this `Authorization` value. Null if there is no key, or it is unknown or
 * has ended. Requests are authenticated by KnownKeys.
 */
export async function authenticate(domain: Domain, authorization: string | undefined): Promise<Principal | null> {
  const secret = secretOf(authorization);
  if (secret === null) return null;
  if (isLease(secret)) return authenticateLease(domain, secret);
  const key = await findKey(domain, hashOf(secret));
  const now = domain.clock.now();
  if (!key || !isLive(key, now)) return null;
  noteUse(domain, key, now);
  return principalOf(key);
}

/** The secret in an `Authorization` value. Null if there is none. */
export const secretOf = (authorization: string | undefined): string | null => SCHEME.exec(authorization ?? '')?.[1] ?? null;

/** Whether the secret is a lease token. */
export const isLease = (secret: string): boolean => secret.startsWith('lease_');

/**
 * Finds a key that was not revoked by the hash of its secret. Timing reveals only the look-up of a
 * hash, which says nothing about the secret.
 */
export async function findKey({ store }: Domain, hash: string): Promise<ApiKeyRow | null> {
  const [key] = await store.read.run(keyByHash, { hash });
  // A join link that was used is revoked, and `joinDevice` says so.
  return key && (key.revokedAt === null || key.joined !== null) ? key : null;
}

export const isLive = ({ expiresAt }: Pick<ApiKeyRow, 'expiresAt'>, now: Date): boolean => expiresAt === null || expiresAt > now;

/** A revoked key stays REVOKED even after its expiry. */
export type ApiKeyState = 'LIVE' | 'EXPIRED' | 'REVOKED';

export function stateOfKey({ revokedAt, expiresAt }: Pick<ApiKeyRow, 'revokedAt' | 'expiresAt'>, now: Date): ApiKeyState {
  if (revokedAt !== null) return 'REVOKED';
  return isLive({ expiresAt }, now) ? 'LIVE' : 'EXPIRED';
}

/** Stores the time of a use, unless a recent one is stored. Returns whether it is now stored. */
export function noteUse(domain: Domain, { id, lastUsedAt }: Pick<ApiKeyRow, 'id' | 'lastUsedAt'>, now: Date): boolean {
  const since = now.getTime() - NOTE_USE_EVERY_MS;
  if (lastUsedAt !== null && lastUsedAt.getTime() >= since) return false;
  // Not awaited, and errors are ignored: a full disk must not stop reads.
  domain.store.write((tx) => tx.run(noteKeyUse, { id, now, before: new Date(since) })).catch(() => {});
  return true;
}

export function principalOf(key: ApiKeyRow): Principal {
  return {
    kind: key.kind,
    role: key.role,
    name: `${key.kind.toLowerCase()}:${key.kind === 'JOB' ? key.jobId : key.name}`,
    keyId: key.id,
    projectId: key.projectId,
    jobId: key.jobId,
    deviceId: key.deviceId,
    stepId: null,
    attempt: null,
    expiresAt: key.expiresAt,
  };
}

/**
 * A lease token is a key for its job while the lease is current. It is the only key that the agent
 * gives to the process it runs.
 */
export async function authenticateLease(domain: Domain, token: string): Promise<Principal | null> {
  const name = parseLeaseToken(token);
  if (!name) return null;
  const [step] = await domain.store.read.run(stepById, { id: name.stepId });
  return step && holds(step, token, domain.clockGuard.dueBy()) ? leasePrincipal(step) : null;
}

/** Whether this token holds the step, by the time of `ClockGuard.dueBy`. */
export function holds(step: StepRow, token: string, now: Date): boolean {
  if (!isHeldStep(step.status) || step.leaseHash === null || step.leaseExpiresAt === null) return false;
  return step.leaseExpiresAt > now && isSameHash(step.leaseHash, hashOf(token));
}

function leasePrincipal(step: StepRow): Principal {
  return {
    kind: 'JOB',
    role: null,
    name: `job:${step.jobId}`,
    keyId: null,
    projectId: step.projectId,
    jobId: step.jobId,
    deviceId: step.leaseDeviceId,
    stepId: step.id,
    attempt: step.attemptCount,
    // Not the expiry of the lease, which is renewed while it is in use.
    expiresAt: null,
  };
}

type KeyColumns = Pick<ApiKeyRow, 'name' | 'kind'> &
  Partial<Pick<ApiKeyRow, 'role' | 'projectId' | 'jobId' | 'deviceId' | 'expiresAt' | 'rotatedFromId' | 'createdBy'>>;

/**
 * Creates a key in a transaction. Returns its row and its secret, which is stored nowhere.
 * `secret`: one chosen by the operator.
 */
export async function addKey(
  { domain, tx, now, actor }: Change,
  columns: KeyColumns,
  chosen?: string,
): Promise<{ apiKey: ApiKeyRow; secret: string }> {
  const { secret, hash, hint } = chosen === undefined ? newKey(domain) : { secret: chosen, hash: hashOf(chosen), hint: chosen.slice(0, 4) };
  const apiKey: ApiKeyRow = {
    role: null,
    projectId: null,
    jobId: null,
    deviceId: null,
    expiresAt: null,
    rotatedFromId: null,
    createdBy: actor,
    ...columns,
    id: domain.ids.next('ApiKey'),
    hash,
    hint,
    createdAt: now,
    lastUsedAt: null,
    revokedAt: null,
    replacedById: null,
    joined: null,
  };
  await insertRows(tx, insertApiKey, [apiKey]);
  return { apiKey, secret };
}
