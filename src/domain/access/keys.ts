/** API keys: who comes with one, and what a new one is. */

import { insertApiKey, keyByHash, noteKeyUse } from '../../store/queries/keys.ts';
import { stepById } from '../../store/queries/rows.ts';
import type { ApiKeyRow, StepRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Change } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import { isHeldStep } from '../core/lifecycle.ts';
import type { Principal } from './principal.ts';
import { hashOf, isSameHash, newKey, parseLeaseToken } from './secrets.ts';

/** A use is noted this often at most: a write for each request would be the dearest part of it. */
const NOTE_USE_EVERY_MS = 60_000;
const SCHEME = /^Bearer +(\S{1,512})$/i;

/** Who comes with this `Authorization` value; null for no key, an unknown one, or one that has ended. */
export async function authenticate(domain: Domain, authorization: string | undefined): Promise<Principal | null> {
  const secret = SCHEME.exec(authorization ?? '')?.[1];
  if (!secret) return null;
  return secret.startsWith('lease_') ? authenticateLease(domain, secret) : authenticateKey(domain, secret);
}

async function authenticateKey(domain: Domain, secret: string): Promise<Principal | null> {
  // Found by its hash: what differs in time is the look-up of a hash, which says nothing of the secret.
  const [key] = await domain.store.read.run(keyByHash, { hash: hashOf(secret) });
  if (!key) return null;
  const now = domain.clock.now();
  if (stateOfKey(key, now) !== 'LIVE') return null;
  noteUse(domain, key, now);
  return principalOf(key);
}

/** REVOKED is said of a key that was, also when it would have expired since. */
export type ApiKeyState = 'LIVE' | 'EXPIRED' | 'REVOKED';

export function stateOfKey({ revokedAt, expiresAt }: Pick<ApiKeyRow, 'revokedAt' | 'expiresAt'>, now: Date): ApiKeyState {
  if (revokedAt !== null) return 'REVOKED';
  return expiresAt === null || expiresAt > now ? 'LIVE' : 'EXPIRED';
}

function noteUse(domain: Domain, key: ApiKeyRow, now: Date): void {
  const before = new Date(now.getTime() - NOTE_USE_EVERY_MS);
  if (key.lastUsedAt !== null && key.lastUsedAt > before) return;
  // Nobody waits for the note, and a full disk must not keep anyone from reading.
  domain.store.write((tx) => tx.run(noteKeyUse, { id: key.id, now, before })).catch(() => {});
}

function principalOf(key: ApiKeyRow): Principal {
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

/** A lease's token is a key for its job while it is current: what an agent runs is handed no more than that. */
async function authenticateLease(domain: Domain, token: string): Promise<Principal | null> {
  const name = parseLeaseToken(token);
  if (!name) return null;
  const [step] = await domain.store.read.run(stepById, { id: name.stepId });
  return step && holds(step, token, domain.clockGuard.dueBy()) ? leasePrincipal(step) : null;
}

/** Whether this token is the one that holds the step, by what `ClockGuard.dueBy` says. */
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
    // Not the lease's end: it is renewed while it is used.
    expiresAt: null,
  };
}

type KeyColumns = Pick<ApiKeyRow, 'name' | 'kind'> &
  Partial<Pick<ApiKeyRow, 'role' | 'projectId' | 'jobId' | 'deviceId' | 'expiresAt' | 'rotatedFromId' | 'createdBy'>>;

/** Makes a key inside a write; answers its row and its secret, which is kept nowhere. `secret`: one that someone chose. */
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
  };
  await insertRows(tx, insertApiKey, [apiKey]);
  return { apiKey, secret };
}
