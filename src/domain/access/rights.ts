/**
 * Rights: the one place that decides who may do what, over HTTP, on sockets and for files.
 *
 * There are two questions. `sees`: does this object exist for the principal? If not, the answer is
 * the same as for an object that does not exist. `requireRight`: may the principal do this at all?
 * If not, the answer is FORBIDDEN, which reveals nothing about what exists.
 */

import { forbidden } from '../core/request-refusals.ts';
import type { Principal, PrincipalKind, Role } from './principal.ts';

/**
 * A holder of rights: a kind of key, and for users the role. A lease token has the rights of a
 * holder LEASE while the lease is held. A DEVICE key without a device is a join link.
 */
export type Holder = `USER:${Role}` | Exclude<PrincipalKind, 'USER'> | 'LEASE' | 'JOIN';

const viewers: readonly Holder[] = ['USER:VIEWER', 'USER:EDITOR', 'USER:ADMIN'];
const editors: readonly Holder[] = ['USER:EDITOR', 'USER:ADMIN'];
const admins: readonly Holder[] = ['USER:ADMIN'];

const jobs: readonly Holder[] = ['JOB', 'LEASE'];
/** All holders but JOIN, which may do one thing only. */
export const everyone: readonly Holder[] = [...viewers, 'DEVICE', ...jobs, 'WATCH'];

/**
 * The holders of each right, within what they see. The texts complete the sentence "This key may
 * not …".
 */
const table = {
  ask: { holders: everyone, text: 'ask anything' },
  readJobs: { holders: everyone, text: 'read jobs' },
  readFragments: { holders: everyone, text: 'read fragments' },
  readProjects: { holders: everyone, text: 'read projects' },
  readSetups: { holders: [...viewers, 'DEVICE'], text: 'read the setup of projects and applications' },
  readInputs: { holders: [...viewers, 'DEVICE', ...jobs], text: 'read the inputs of steps' },
  readDevices: { holders: [...viewers, 'DEVICE'], text: 'read devices' },
  readApplications: { holders: [...viewers, 'DEVICE', ...jobs], text: 'read the catalogue' },
  readExperiments: { holders: [...viewers, 'DEVICE'], text: 'read experiments' },
  readStartModels: { holders: [...viewers, 'DEVICE', ...jobs], text: 'read what jobs start from' },
  readModels: { holders: [...viewers, 'DEVICE'], text: 'read models' },
  readKeys: { holders: admins, text: 'read keys' },
  readJobKeys: { holders: editors, text: 'read keys' },
  readAudit: { holders: admins, text: 'read the audit trail' },
  readMetrics: { holders: viewers, text: 'read the metrics' },
  createProject: { holders: editors, text: 'create projects' },
  updateProject: { holders: editors, text: 'change projects' },
  deleteProject: { holders: admins, text: 'delete projects' },
  writeApplications: { holders: editors, text: 'change the catalogue' },
  createExperiment: { holders: editors, text: 'create experiments' },
  createModel: { holders: editors, text: 'create models and their versions' },
  createJob: { holders: editors, text: 'create jobs' },
  updateJob: { holders: [...editors, ...jobs], text: 'change jobs' },
  setPriority: { holders: editors, text: 'change the priority of jobs' },
  cancelJob: { holders: editors, text: 'cancel jobs' },
  deleteJob: { holders: editors, text: 'delete jobs' },
  openHttp: { holders: [...viewers, 'JOB', 'WATCH'], text: 'open the HTTP port of a step' },
  openTunnel: { holders: ['DEVICE'], text: 'open a tunnel' },
  enterSteps: { holders: editors, text: 'run commands in steps or forward their ports' },
  addSteps: { holders: [...editors, ...jobs], text: 'add steps' },
  claimSteps: { holders: [...editors, 'DEVICE'], text: 'claim steps' },
  useLease: { holders: [...editors, 'DEVICE', ...jobs], text: 'report on steps' },
  writeOutput: { holders: [...editors, 'DEVICE', ...jobs], text: 'write job output' },
  writeFragments: { holders: [...editors, 'DEVICE', ...jobs], text: 'write fragments' },
  writeWithoutLease: { holders: [...editors, ...jobs], text: 'write files or output without a lease' },
  deleteFragments: { holders: [...editors, ...jobs], text: 'delete fragments' },
  registerDevice: { holders: [...editors, 'DEVICE'], text: 'register devices' },
  inviteDevices: { holders: editors, text: 'invite devices' },
  joinDevice: { holders: ['JOIN'], text: 'join as a device' },
  updateDevice: { holders: [...editors, 'DEVICE'], text: 'change devices' },
  deleteDevice: { holders: editors, text: 'delete devices' },
  createKeys: { holders: admins, text: 'create keys of this kind' },
  createJobKeys: { holders: editors, text: 'create keys' },
  changeKeys: { holders: admins, text: 'change keys of this kind' },
  changeJobKeys: { holders: editors, text: 'change keys' },
  rotateOwnKey: { holders: ['DEVICE'], text: 'rotate itself' },
  revokeOwnKey: { holders: [...viewers, 'DEVICE', 'JOB', 'WATCH'], text: 'revoke itself' },
} as const satisfies Record<string, { holders: readonly Holder[]; text: string }>;
export type Action = keyof typeof table;

function holderOf({ kind, role, stepId, deviceId }: Principal): Holder {
  if (kind === 'USER') return `USER:${role ?? 'VIEWER'}`;
  if (kind === 'DEVICE' && deviceId === null) return 'JOIN';
  return stepId === null ? kind : 'LEASE';
}

export function may(principal: Principal, action: Action): boolean {
  const holders: readonly Holder[] = table[action].holders;
  return holders.includes(holderOf(principal));
}

export const isForEveryone = (action: Action): boolean => table[action].holders.length === everyone.length;

/** Throws FORBIDDEN unless the principal has this right. */
export function requireRight(principal: Principal, action: Action): void {
  if (!may(principal, action)) throw forbidden(table[action].text);
}

/**
 * Throws FORBIDDEN unless the principal's key is for all projects. A key of one project has no
 * access to what belongs to none.
 */
export function requireAllProjects(principal: Principal, action: Action): void {
  requireRight(principal, action);
  if (principal.projectId !== null) throw forbidden(`${table[action].text} outside its own project`);
}

/**
 * The owner of an object. `jobId` null: the project itself, or an object of the project that
 * belongs to no job.
 */
export interface Belonging {
  readonly projectId: string | null;
  readonly jobId?: string | null;
}

/** Whether this object exists for the principal. */
export function sees(principal: Principal, { projectId, jobId = null }: Belonging): boolean {
  if (principal.projectId !== null && principal.projectId !== projectId) return false;
  return principal.jobId === null || jobId === null || principal.jobId === jobId;
}

/**
 * Whether a file exists for the principal. A WATCH key of a job does not see the files of the
 * project.
 */
export function seesFile(principal: Principal, of: Belonging): boolean {
  return sees(principal, of) && (principal.kind !== 'WATCH' || (of.jobId ?? null) !== null);
}

/**
 * Whether the principal may write this file. A key of a job writes only files of the job. A device
 * writes only files that it created under a lease.
 */
export function mayWriteFile(principal: Principal, of: Belonging & { readonly deviceId: string | null }): boolean {
  if (!may(principal, 'writeFragments') || !seesFile(principal, of)) return false;
  if (!may(principal, 'writeWithoutLease')) return principal.deviceId !== null && principal.deviceId === of.deviceId;
  return principal.jobId === null || principal.jobId === of.jobId;
}

/**
 * Whether a key exists for the principal: every key sees itself, holders of readJobKeys see the
 * keys of jobs, and administrators see all.
 */
export function seesKey(principal: Principal, key: Belonging & { readonly id: string }): boolean {
  if (principal.keyId === key.id) return true;
  return may(principal, (key.jobId ?? null) === null ? 'readKeys' : 'readJobKeys') && sees(principal, key);
}

/** The filter of lists. Null: no filter. */
export interface Scope {
  readonly projectId: string | null;
  readonly jobId: string | null;
}
export const scopeOf = ({ projectId, jobId }: Principal): Scope => ({ projectId, jobId });
