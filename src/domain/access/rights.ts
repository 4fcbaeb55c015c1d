/**
 * Who may do what: the one place that decides, on HTTP, on sockets and for files alike.
 *
 * Two questions. `sees`: does this exist for the principal? What may not be seen is answered like what is not there. `require`: may it do this
 * at all? A refusal there is FORBIDDEN, and says nothing about what exists.
 */

import { forbidden } from '../core/refusals.ts';
import type { Principal, PrincipalKind, Role } from './principal.ts';

/** Who holds rights: a kind of key, and for users the role. A lease's token is a key for its job, for as long as the lease is held. */
export type Holder = `USER:${Role}` | Exclude<PrincipalKind, 'USER'> | 'LEASE';

const viewers: readonly Holder[] = ['USER:VIEWER', 'USER:EDITOR', 'USER:ADMIN'];
const editors: readonly Holder[] = ['USER:EDITOR', 'USER:ADMIN'];
const admins: readonly Holder[] = ['USER:ADMIN'];

const jobs: readonly Holder[] = ['JOB', 'LEASE'];
/** All there are. */
export const everyone: readonly Holder[] = [...viewers, 'DEVICE', ...jobs, 'WATCH'];

/** Who may do each thing, within what they see. The texts finish the sentence "This key may not …". */
const table = {
  ask: { holders: everyone, text: 'ask anything' },
  readJobs: { holders: everyone, text: 'read jobs' },
  readFragments: { holders: everyone, text: 'read fragments' },
  readProjects: { holders: everyone, text: 'read projects' },
  readSetups: { holders: [...viewers, 'DEVICE'], text: 'read how projects and applications are set up' },
  readInputs: { holders: [...viewers, 'DEVICE', ...jobs], text: 'read what steps are given' },
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
  createJob: { holders: editors, text: 'create jobs' },
  updateJob: { holders: [...editors, ...jobs], text: 'change jobs' },
  setPriority: { holders: editors, text: 'change the priority of jobs' },
  cancelJob: { holders: editors, text: 'cancel jobs' },
  deleteJob: { holders: editors, text: 'delete jobs' },
  addSteps: { holders: [...editors, ...jobs], text: 'add steps' },
  claimSteps: { holders: [...editors, 'DEVICE'], text: 'claim steps' },
  useLease: { holders: [...editors, 'DEVICE', ...jobs], text: 'report on steps' },
  writeOutput: { holders: [...editors, 'DEVICE', ...jobs], text: 'write job output' },
  writeFragments: { holders: [...editors, 'DEVICE', ...jobs], text: 'write fragments' },
  writeWithoutLease: { holders: [...editors, ...jobs], text: 'write files or output without a lease' },
  deleteFragments: { holders: [...editors, ...jobs], text: 'delete fragments' },
  registerDevice: { holders: [...editors, 'DEVICE'], text: 'register devices' },
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

function holderOf({ kind, role, stepId }: Principal): Holder {
  if (kind === 'USER') return `USER:${role ?? 'VIEWER'}`;
  return stepId === null ? kind : 'LEASE';
}

export function may(principal: Principal, action: Action): boolean {
  const holders: readonly Holder[] = table[action].holders;
  return holders.includes(holderOf(principal));
}

export const isForEveryone = (action: Action): boolean => table[action].holders.length === everyone.length;

/** Throws FORBIDDEN unless the principal may do this, to whatever it sees. */
export function requireRight(principal: Principal, action: Action): void {
  if (!may(principal, action)) throw forbidden(table[action].text);
}

/** Throws FORBIDDEN unless the principal's key is for all projects: what belongs to none is not for a key of one. */
export function requireAllProjects(principal: Principal, action: Action): void {
  requireRight(principal, action);
  if (principal.projectId !== null) throw forbidden(`${table[action].text} outside its own project`);
}

/** What a thing belongs to. `jobId` null: the project itself, or something of the project's that is no job's. */
export interface Belonging {
  readonly projectId: string | null;
  readonly jobId?: string | null;
}

/** Whether this exists for the principal. */
export function sees(principal: Principal, { projectId, jobId = null }: Belonging): boolean {
  if (principal.projectId !== null && principal.projectId !== projectId) return false;
  return principal.jobId === null || jobId === null || principal.jobId === jobId;
}

/** Whether a file exists for the principal: who watches one job is shown none of the files of the project itself. */
export function seesFile(principal: Principal, of: Belonging): boolean {
  return sees(principal, of) && (principal.kind !== 'WATCH' || (of.jobId ?? null) !== null);
}

/** Whether it may write this file: a job writes its own alone, and none of the project itself; a device, what it announced under a lease. */
export function mayWriteFile(principal: Principal, of: Belonging & { readonly deviceId: string | null }): boolean {
  if (!may(principal, 'writeFragments') || !seesFile(principal, of)) return false;
  if (!may(principal, 'writeWithoutLease')) return principal.deviceId !== null && principal.deviceId === of.deviceId;
  return principal.jobId === null || principal.jobId === of.jobId;
}

/** Whether a key exists for the principal: its own does, those of jobs for who may make them, all others for administrators. */
export function seesKey(principal: Principal, key: Belonging & { readonly id: string }): boolean {
  if (principal.keyId === key.id) return true;
  return may(principal, (key.jobId ?? null) === null ? 'readKeys' : 'readJobKeys') && sees(principal, key);
}

/** What lists are narrowed to: null is no narrowing. */
export interface Scope {
  readonly projectId: string | null;
  readonly jobId: string | null;
}
export const scopeOf = ({ projectId, jobId }: Principal): Scope => ({ projectId, jobId });
