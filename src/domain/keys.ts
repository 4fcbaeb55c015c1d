/** API keys: who comes with one, and making and ending them. */
import { insertRows } from '../store/changes/inserts.ts';
import { lockJob } from '../store/changes/jobs.ts';
import { insertApiKey, keyByHash, keyById, noteKeyUse, revokeKey } from '../store/queries/keys.ts';
import { deviceById, projectById, stepById } from '../store/queries/rows.ts';
import type { Tx } from '../store/store.ts';
import type { ApiKeyRow, StepRow } from '../store/tables.ts';
import { change, topics } from './change.ts';
import { Checks } from './checks.ts';
import type { Domain } from './domain.ts';
import { isHeldStep, isTerminalJob } from './lifecycle.ts';
import type { Principal, PrincipalKind, Role } from './principal.ts';
import { InvalidInput, NotFound } from './refusals.ts';
import { requireAllProjects, requireRight, sees } from './rights.ts';
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
  if (!isLive(key, now)) return null;
  noteUse(domain, key, now);
  return principalOf(key);
}

export const isLive = (key: ApiKeyRow, now: Date): boolean => key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now);

function noteUse(domain: Domain, key: ApiKeyRow, now: Date): void {
  const before = new Date(now.getTime() - NOTE_USE_EVERY_MS);
  if (key.lastUsedAt !== null && key.lastUsedAt > before) return;
  // Nobody waits for the note, and a full disk must not keep anyone from reading.
  domain.store.write((tx) => tx.run(noteKeyUse, { id: key.id, now, before })).catch(() => {});
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

/** A lease's token is a key for its job while it is current: what an agent runs is handed no more than that. */
async function authenticateLease(domain: Domain, token: string): Promise<Principal | null> {
  const name = parseLeaseToken(token);
  if (!name) return null;
  const [step] = await domain.store.read.run(stepById, { id: name.stepId });
  return step && holds(step, token, domain.clock.now()) ? leasePrincipal(step) : null;
}

/** Whether this token is the one that holds the step now. */
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

type KeyColumns = Pick<ApiKeyRow, 'name' | 'kind'> & Partial<Pick<ApiKeyRow, 'role' | 'projectId' | 'jobId' | 'deviceId' | 'expiresAt'>>;

/** Makes a key inside a write; answers its row and its secret, which is kept nowhere. */
export async function addKey(domain: Domain, tx: Tx, now: Date, columns: KeyColumns): Promise<{ apiKey: ApiKeyRow; secret: string }> {
  const { secret, hash, hint } = newKey(domain);
  const apiKey: ApiKeyRow = {
    role: null,
    projectId: null,
    jobId: null,
    deviceId: null,
    expiresAt: null,
    ...columns,
    id: domain.ids.next('ApiKey'),
    hash,
    hint,
    createdAt: now,
    lastUsedAt: null,
    revokedAt: null,
  };
  await insertRows(tx, insertApiKey, [apiKey]);
  return { apiKey, secret };
}

export interface CreateApiKeyInput {
  name: string;
  kind: PrincipalKind;
  role?: Role | null | undefined;
  projectId?: string | null | undefined;
  jobId?: string | null | undefined;
  deviceId?: string | null | undefined;
  expiresInSeconds?: number | null | undefined;
}

/** Makes a key. A USER's is for a project or for all, a DEVICE's for a device, a JOB's and a WATCH's for a job. */
export async function createApiKey(
  domain: Domain,
  principal: Principal,
  input: CreateApiKeyInput,
): Promise<{ apiKey: ApiKeyRow; secret: string }> {
  requireRight(principal, input.kind === 'JOB' || input.kind === 'WATCH' ? 'createJobKeys' : 'createKeys');
  checkKey(domain, input);
  return change(domain, principal, async ({ tx, now }) => {
    const belonging = await belongingOf(tx, principal, input);
    if (belonging.projectId === null) requireAllProjects(principal, 'createKeys');
    const expiresAt = input.expiresInSeconds ? new Date(now.getTime() + input.expiresInSeconds * 1_000) : null;
    return addKey(domain, tx, now, {
      name: input.name,
      kind: input.kind,
      role: input.kind === 'USER' ? (input.role ?? 'VIEWER') : null,
      ...belonging,
      expiresAt,
    });
  });
}

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

/** What the key will be for, if the principal sees it. */
async function belongingOf(tx: Tx, principal: Principal, { kind, projectId, jobId, deviceId }: CreateApiKeyInput) {
  if (jobId) {
    // Under its lock: a key that is made while the job ends would outlive it.
    const [job] = await tx.run(lockJob, { id: jobId });
    if (!job || !sees(principal, { projectId: job.projectId, jobId })) throw new NotFound('job', jobId);
    if (kind === 'JOB' && isTerminalJob(job.status))
      throw new InvalidInput([{ path: ['jobId'], message: `is of a job that is ${job.status}: the keys of a job end with it.` }]);
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

/** Ends a key at once; ending it again changes nothing. A key may end itself. */
export async function revokeApiKey(
  domain: Domain,
  principal: Principal,
  { apiKeyId }: { apiKeyId: string },
): Promise<{ apiKey: ApiKeyRow }> {
  if (principal.keyId !== apiKeyId) requireRight(principal, 'revokeKeys');
  return change(domain, principal, async ({ tx, now }) => {
    const [apiKey] = await tx.run(keyById, { id: apiKeyId });
    if (!apiKey || !sees(principal, apiKey)) throw new NotFound('key', apiKeyId);
    await tx.run(revokeKey, { id: apiKeyId, now });
    tx.touch(topics.key(apiKeyId));
    return { apiKey: { ...apiKey, revokedAt: apiKey.revokedAt ?? now } };
  });
}

/** Keeps a secret that the operator chose as an admin key for all projects. Does nothing when it is one already. */
export async function acceptAdminKey(domain: Domain, secret: string): Promise<void> {
  if (!/^\S{16,512}$/.test(secret))
    throw new InvalidInput([{ path: ['TRAINYARD_ADMIN_KEY'], message: 'must have 16 to 512 characters and no spaces.' }]);
  await change(domain, null, async ({ tx, now }) => {
    const hash = hashOf(secret);
    const [known] = await tx.run(keyByHash, { hash });
    if (known) return;
    const key: ApiKeyRow = {
      id: domain.ids.next('ApiKey'),
      name: 'operator',
      kind: 'USER',
      role: 'ADMIN',
      projectId: null,
      jobId: null,
      deviceId: null,
      hash,
      hint: secret.slice(0, 4),
      createdAt: now,
      lastUsedAt: null,
      expiresAt: null,
      revokedAt: null,
    };
    await insertRows(tx, insertApiKey, [key]);
  });
}
