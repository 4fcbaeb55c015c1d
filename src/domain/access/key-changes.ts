/** Creating, changing and revoking API keys. Rotation is in key-rotation.ts. */
import { lockJob } from '../../store/changes/jobs.ts';
import type { Optional } from '../../store/optional.ts';
import { keyById, lockKey, saveKeyFields } from '../../store/queries/keys.ts';
import { deviceById, projectById } from '../../store/queries/rows.ts';
import type { ApiKeyRow } from '../../store/schema/tables.ts';
import type { Tx } from '../../store/store.ts';
import { type Change, change, topics } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { isTerminalJob } from '../core/lifecycle.ts';
import { NotFound, wrongInput, wrongState } from '../core/refusals.ts';
import { type AuditSubject, audit, changedBetween, madeWith } from './audit.ts';
import { addKey, stateOfKey } from './keys.ts';
import type { Principal, PrincipalKind, Role } from './principal.ts';
import { may, requireAllProjects, requireRight, sees, seesKey } from './rights.ts';

/** A new key with its secret, which is shown only once. */
export interface NewApiKey {
  readonly apiKey: ApiKeyRow;
  readonly secret: string;
}

export const subjectOf = ({ id, name, projectId }: ApiKeyRow): AuditSubject => ({ type: 'API_KEY', id, name, projectId });

/** The fields of a new key in the audit trail. */
export const keyFields = { shown: ['kind', 'role', 'jobId', 'deviceId', 'expiresAt', 'rotatedFromId'] } as const;

export interface CreateApiKeyInput {
  name: string;
  kind: PrincipalKind;
  role?: Optional<Role>;
  projectId?: Optional<string>;
  jobId?: Optional<string>;
  deviceId?: Optional<string>;
  expiresInSeconds?: Optional<number>;
}

/**
 * Creates a key. A USER key is for one project or all, a DEVICE key for a device, a JOB or WATCH
 * key for a job.
 */
export async function createApiKey(domain: Domain, principal: Principal, input: CreateApiKeyInput): Promise<NewApiKey> {
  requireRight(principal, input.kind === 'JOB' || input.kind === 'WATCH' ? 'createJobKeys' : 'createKeys');
  checkKey(domain, input);
  return change(domain, principal, async (change) => {
    const belonging = await belongingOf(change.tx, principal, input);
    if (belonging.projectId === null) requireAllProjects(principal, 'createKeys');
    const made = await addKey(change, {
      name: input.name,
      kind: input.kind,
      role: input.kind === 'USER' ? (input.role ?? 'VIEWER') : null,
      ...belonging,
      expiresAt: endIn(change, input.expiresInSeconds) ?? null,
    });
    await audit(change, 'KEY_CREATED', subjectOf(made.apiKey), madeWith(made.apiKey, keyFields));
    return made;
  });
}

/** The time this many seconds from now. Undefined if no seconds are given. */
export const endIn = ({ now }: Change, seconds: Optional<number>): Date | undefined =>
  seconds === null || seconds === undefined ? undefined : new Date(now.getTime() + seconds * 1_000);

function checkKey(domain: Domain, input: CreateApiKeyInput): void {
  const checks = new Checks(domain);
  checks.name(['name'], input.name);
  checks.seconds(['expiresInSeconds'], input.expiresInSeconds);
  const needs = { USER: null, DEVICE: 'deviceId', JOB: 'jobId', WATCH: 'jobId' } as const;
  const needed = needs[input.kind];
  for (const field of ['deviceId', 'jobId'] as const) {
    if (field === needed && !input[field]) checks.refuse([field], `is needed for a key of kind ${input.kind}.`);
    if (field !== needed && input[field]) checks.refuse([field], `is not for a key of kind ${input.kind}.`);
  }
  if (needed && input.projectId) checks.refuse(['projectId'], `follows from ${needed}; leave it out.`);
  checks.done();
}

/** Returns what the key is for, if the principal sees it. */
async function belongingOf(tx: Tx, principal: Principal, { kind, projectId, jobId, deviceId }: CreateApiKeyInput) {
  if (jobId) {
    // Locked: a key created while the job ends would outlive it.
    const [job] = await tx.run(lockJob, { id: jobId });
    if (!job || !sees(principal, { projectId: job.projectId, jobId })) throw new NotFound('job', jobId);
    if (kind === 'JOB' && isTerminalJob(job.status)) throw wrongInput.keyOfEndedJob(job);
    return { projectId: job.projectId, jobId, deviceId: null };
  }
  if (deviceId) {
    const [device] = await tx.run(deviceById, { id: deviceId });
    if (!device || !sees(principal, device)) throw new NotFound('device', deviceId);
    return { projectId: device.projectId, jobId: null, deviceId };
  }
  const id = projectId ?? principal.projectId;
  if (id !== null) {
    const [project] = await tx.run(projectById, { id });
    if (!project || !sees(principal, { projectId: id })) throw new NotFound('project', id);
  }
  return { projectId: id, jobId: null, deviceId: null };
}

/** Returns the key under its lock, if the principal sees it. */
export async function visibleKey({ tx }: Change, principal: Principal, id: string): Promise<ApiKeyRow> {
  // A job that ends revokes its keys under its own lock, so the job is locked first.
  const [seen] = await tx.run(keyById, { id });
  if (seen?.jobId && seesKey(principal, seen)) await tx.run(lockJob, { id: seen.jobId });
  const [apiKey] = seen ? await tx.run(lockKey, { id }) : [];
  if (!apiKey || !seesKey(principal, apiKey)) throw new NotFound('key', id);
  return apiKey;
}

export function requireLiveKey(apiKey: ApiKeyRow, now: Date): void {
  const state = stateOfKey(apiKey, now);
  if (state !== 'LIVE') throw wrongState.keyEnded(state);
}

/** Throws FORBIDDEN unless the principal, which sees this key, may change it. */
export function requireChange(principal: Principal, { jobId }: ApiKeyRow): void {
  requireRight(principal, jobId === null ? 'changeKeys' : 'changeJobKeys');
}

export interface UpdateApiKeyInput {
  apiKeyId: string;
  name?: Optional<string>;
  expiresInSeconds?: Optional<number>;
  neverExpires?: Optional<boolean>;
}

/** Renames a key or changes its expiry. */
export async function updateApiKey(domain: Domain, principal: Principal, input: UpdateApiKeyInput): Promise<{ apiKey: ApiKeyRow }> {
  requireRight(principal, 'changeJobKeys');
  const checks = new Checks(domain);
  checks.name(['name'], input.name);
  checks.seconds(['expiresInSeconds'], input.expiresInSeconds);
  if (input.neverExpires && input.expiresInSeconds != null)
    checks.refuse(['neverExpires'], 'must not be given together with expiresInSeconds. Give one of the two.');
  checks.done();
  return change(domain, principal, async (change) => {
    const before = await visibleKey(change, principal, input.apiKeyId);
    requireChange(principal, before);
    const expiresAt = input.neverExpires ? null : endIn(change, input.expiresInSeconds);
    if (expiresAt !== undefined) {
      requireLiveKey(before, change.now);
      if (before.replacedById !== null) throw wrongState.keyReplaced(before.replacedById);
    }
    const after = { ...before, name: input.name ?? before.name, expiresAt: expiresAt === undefined ? before.expiresAt : expiresAt };
    const changes = changedBetween(before, after, { shown: ['name', 'expiresAt'] });
    if (Object.keys(changes).length === 0) return { apiKey: before };
    await saveKeyFields(change.tx, before.id, { name: after.name, expiresAt: after.expiresAt });
    change.tx.touch(topics.key(before.id));
    await audit(change, 'KEY_CHANGED', subjectOf(after), changes);
    return { apiKey: after };
  });
}

/** Revokes a key at once. Revoking it again changes nothing. A key may revoke itself. */
export async function revokeApiKey(
  domain: Domain,
  principal: Principal,
  { apiKeyId }: { apiKeyId: string },
): Promise<{ apiKey: ApiKeyRow }> {
  const isOwn = principal.keyId === apiKeyId && may(principal, 'revokeOwnKey');
  if (!isOwn) requireRight(principal, 'changeJobKeys');
  return change(domain, principal, async (change) => {
    const apiKey = await visibleKey(change, principal, apiKeyId);
    if (!isOwn) requireChange(principal, apiKey);
    return { apiKey: await endKey(change, apiKey) };
  });
}

/** Revokes a locked key, unless it is revoked already. */
export async function endKey(change: Change, apiKey: ApiKeyRow): Promise<ApiKeyRow> {
  if (apiKey.revokedAt !== null) return apiKey;
  await saveKeyFields(change.tx, apiKey.id, { revokedAt: change.now });
  change.tx.touch(topics.key(apiKey.id));
  await audit(change, 'KEY_REVOKED', subjectOf(apiKey));
  return { ...apiKey, revokedAt: change.now };
}
