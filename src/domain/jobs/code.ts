/**
 * The code that travels with a job. Its agent puts it into the working folder of each step before
 * the command runs.
 */
import { lockFragment } from '../../store/changes/fragments.ts';
import type { Optional } from '../../store/optional.ts';
import { projectById } from '../../store/queries/rows.ts';
import type { JobRow } from '../../store/schema/tables.ts';
import type { Principal } from '../access/principal.ts';
import { seesFile } from '../access/rights.ts';
import type { Change } from '../core/change.ts';
import type { Checks } from '../core/checks.ts';
import { wrongInput } from '../core/refusals.ts';
import type { JobCode } from '../core/vocabulary.ts';

export interface CodeArchiveInput {
  fragmentId: string;
  commit?: Optional<string>;
  branch?: Optional<string>;
  isDirty?: Optional<boolean>;
}

export interface CodeCloneInput {
  ref?: Optional<string>;
}

/** Exactly one of its fields is given. */
export interface JobCodeInput {
  archive?: Optional<CodeArchiveInput>;
  git?: Optional<CodeCloneInput>;
}

export const COMMIT = /^([0-9a-f]{40}|[0-9a-f]{64})$/;
const LONGEST_REF = 255;
/** A branch, a tag, a full name such as refs/pull/7/head, or a commit. Never like a flag. */
const REF = /^(?!.*(\.\.|\/\/|@\{))[A-Za-z0-9_][\w./+@-]*$/;

export function checkCode(checks: Checks, input: Optional<JobCodeInput>): void {
  const ref = input?.git?.ref;
  checks.length(['code', 'git', 'ref'], ref ?? '', LONGEST_REF);
  if (ref != null && !REF.test(ref)) checks.refuse(['code', 'git', 'ref'], 'must be a branch, a tag or a commit.');
  if (!input?.archive) return;
  const { commit, branch, isDirty } = input.archive;
  const path = (field: string) => ['code', 'archive', field];
  if (commit != null && !COMMIT.test(commit)) checks.refuse(path('commit'), 'must be 40 or 64 hexadecimal digits in lower case.');
  checks.name(path('branch'), branch);
  checks.length(path('branch'), branch ?? '', LONGEST_REF);
  if (commit == null && (branch != null || isDirty)) checks.refuse(path('commit'), 'is needed with branch or isDirty.');
}

/** The code with the commit that a step has cloned. Null: that is known, or nothing is cloned. */
export function withCommit({ code }: Pick<JobRow, 'code'>, commit: string): JobCode | null {
  return code?.git && code.archive === null && code.git.commit === null ? { ...code, git: { ...code.git, commit } } : null;
}

/**
 * The columns of a job with this code. Throws InvalidInput if its archive is no complete file of
 * the project, or too large.
 */
export async function codeColumns(
  { tx, domain }: Change,
  principal: Principal,
  projectId: string,
  input: Optional<JobCodeInput>,
): Promise<Pick<JobRow, 'code' | 'codeFragmentId'>> {
  if (input?.git) {
    const [project] = await tx.run(projectById, { id: projectId });
    if (!project?.gitRepository) throw wrongInput.noRepository();
    const git = { ref: input.git.ref ?? null, commit: null, branch: null, isDirty: false };
    return { code: { archive: null, git }, codeFragmentId: null };
  }
  if (!input?.archive) return { code: null, codeFragmentId: null };
  const { fragmentId: id, commit = null, branch = null, isDirty } = input.archive;
  const path = ['code', 'archive', 'fragmentId'];
  // Locked: it cannot be deleted before the job is stored, which keeps it.
  const [fragment] = await tx.run(lockFragment, { id });
  if (!fragment || fragment.projectId !== projectId || !seesFile(principal, fragment)) throw wrongInput.noFragment(path, id);
  const { status, sha256, sizeBytes } = fragment;
  if (status !== 'READY' || sha256 === null || sizeBytes === null) throw wrongInput.fragmentNotUploaded(path, fragment);
  if (sizeBytes > domain.limits.codeBytesAtMost) throw wrongInput.codeTooLarge(path, sizeBytes, domain.limits.codeBytesAtMost);
  const git = commit === null ? null : { ref: null, commit, branch, isDirty: isDirty ?? false };
  return { code: { archive: { sha256, sizeBytes }, git }, codeFragmentId: id };
}
