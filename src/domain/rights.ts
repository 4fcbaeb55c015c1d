/**
 * Who may do what: the one place that decides, on HTTP, on sockets and for files alike.
 *
 * Two questions. `sees`: does this exist for the principal? What may not be seen is answered like what is not there. `require`: may it do this
 * at all? A refusal there is FORBIDDEN, and says nothing about what exists.
 */
import type { Principal, PrincipalKind, Role } from './principal.ts';
import { forbidden } from './refusals.ts';

/** The rows of the table: a kind of key, and for users the role. */
type Holder = `USER:${Role}` | Exclude<PrincipalKind, 'USER'>;

const viewers: readonly Holder[] = ['USER:VIEWER', 'USER:EDITOR', 'USER:ADMIN'];
const editors: readonly Holder[] = ['USER:EDITOR', 'USER:ADMIN'];
const admins: readonly Holder[] = ['USER:ADMIN'];

/** Who may do each thing, within what they see. The texts finish the sentence "This key may not …". */
const table = {
  readProjects: { holders: [...viewers, 'DEVICE', 'JOB', 'WATCH'], text: 'read projects' },
  readDevices: { holders: [...viewers, 'DEVICE'], text: 'read devices' },
  readApplications: { holders: [...viewers, 'DEVICE', 'JOB'], text: 'read the catalogue' },
  readExperiments: { holders: [...viewers, 'DEVICE'], text: 'read experiments' },
  readStartModels: { holders: [...viewers, 'DEVICE', 'JOB'], text: 'read what jobs start from' },
  readModels: { holders: [...viewers, 'DEVICE'], text: 'read models' },
  readKeys: { holders: admins, text: 'read keys' },
  createProject: { holders: editors, text: 'create projects' },
  updateProject: { holders: editors, text: 'change projects' },
  deleteProject: { holders: admins, text: 'delete projects' },
  writeApplications: { holders: editors, text: 'change the catalogue' },
  createExperiment: { holders: editors, text: 'create experiments' },
  createJob: { holders: editors, text: 'create jobs' },
  updateJob: { holders: [...editors, 'JOB'], text: 'change jobs' },
  setPriority: { holders: editors, text: 'change the priority of jobs' },
  cancelJob: { holders: editors, text: 'cancel jobs' },
  deleteJob: { holders: editors, text: 'delete jobs' },
  addSteps: { holders: [...editors, 'JOB'], text: 'add steps' },
  claimSteps: { holders: [...editors, 'DEVICE'], text: 'claim steps' },
  useLease: { holders: [...editors, 'DEVICE', 'JOB'], text: 'report on steps' },
  writeOutput: { holders: [...editors, 'DEVICE', 'JOB'], text: 'write job output' },
  writeFragments: { holders: [...editors, 'DEVICE', 'JOB'], text: 'write fragments' },
  deleteFragments: { holders: [...editors, 'JOB'], text: 'delete fragments' },
  registerDevice: { holders: [...editors, 'DEVICE'], text: 'register devices' },
  updateDevice: { holders: [...editors, 'DEVICE'], text: 'change devices' },
  deleteDevice: { holders: editors, text: 'delete devices' },
  createKeys: { holders: admins, text: 'create keys of this kind' },
  createJobKeys: { holders: editors, text: 'create keys' },
  revokeKeys: { holders: admins, text: 'revoke keys' },
} as const satisfies Record<string, { holders: readonly Holder[]; text: string }>;
export type Action = keyof typeof table;

const holderOf = (principal: Principal): Holder => (principal.kind === 'USER' ? `USER:${principal.role ?? 'VIEWER'}` : principal.kind);

export function may(principal: Principal, action: Action): boolean {
  const holders: readonly Holder[] = table[action].holders;
  return holders.includes(holderOf(principal));
}

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

/** Whether it may write this file: a job writes its own alone, and none of the project itself. */
export function mayWriteFile(principal: Principal, of: Belonging): boolean {
  return may(principal, 'writeFragments') && seesFile(principal, of) && (principal.jobId === null || principal.jobId === of.jobId);
}

/** What lists are narrowed to: null is no narrowing. */
export interface Scope {
  readonly projectId: string | null;
  readonly jobId: string | null;
}
export const scopeOf = ({ projectId, jobId }: Principal): Scope => ({ projectId, jobId });
