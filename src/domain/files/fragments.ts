/**
 * Fragments: the files of jobs and projects. The row describes the file; its bytes are in the file
 * store.
 */
import { buffer } from 'node:stream/consumers';
import { deleteFragmentRow, insertFragment, lockFragment } from '../../store/changes/fragments.ts';
import { lockJob } from '../../store/changes/jobs.ts';
import { lockStep } from '../../store/changes/steps.ts';
import type { StoredFile } from '../../store/files/file-store.ts';
import type { Optional } from '../../store/optional.ts';
import { fragmentByFilename, fragmentById, stepById, stepByNumber } from '../../store/queries/rows.ts';
import type { FragmentRow, JobRow, StepRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import { isOpenStill } from '../../store/unavailable.ts';
import { audit } from '../access/audit.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight, sees } from '../access/rights.ts';
import { visibleJob, visibleProject } from '../access/visible.ts';
import { type Change, change, record } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { once } from '../core/idempotency.ts';
import { isHeldStep } from '../core/lifecycle.ts';
import { NotFound, StaleLease, wrongInput, wrongState } from '../core/refusals.ts';
import { moveFragment } from '../core/transitions.ts';
import type { FragmentType, IfExists } from '../core/vocabulary.ts';
import { requireLease } from '../steps/held.ts';
import { contentTypeOf } from './content-type.ts';
import {
  deferredKeyOf,
  filenameKeyOf,
  freeFilename,
  isDeferredReplacement,
  removeReplaced,
  requireUnneeded,
  reusable,
} from './filenames.ts';
import { signUrl } from './signatures.ts';

export interface CreateFragmentInput {
  jobId?: Optional<string>;
  projectId?: Optional<string>;
  stepNumber?: Optional<number>;
  leaseToken?: Optional<string>;
  filename: string;
  ifExists?: Optional<IfExists>;
  name?: Optional<string>;
  type: FragmentType;
  contentType?: Optional<string>;
  sizeBytes?: Optional<number>;
  sha256?: Optional<string>;
  text?: Optional<string>;
  idempotencyKey?: Optional<string>;
}

export interface CreatedFragment {
  readonly fragment: FragmentRow;
  /** Null if its bytes are stored already. */
  readonly uploadUrl: string | null;
  readonly uploadExpiresAt: Date | null;
}

/**
 * Creates a fragment and returns the URL to PUT its bytes to. With `text`, stores the text at once.
 */
export async function createFragment(domain: Domain, principal: Principal, input: CreateFragmentInput): Promise<CreatedFragment> {
  requireRight(principal, 'writeFragments');
  // A device writes for the step that it holds, not for any job of its project.
  if (!input.leaseToken) requireRight(principal, 'writeWithoutLease');
  checkFragment(domain, input);
  const id = domain.ids.next('Fragment');
  // The file is written before the transaction, so that a READY row always has its bytes.
  const text =
    typeof input.text === 'string' ? await domain.files.receive(id, [Buffer.from(input.text)], domain.limits.jsonBytesAtMost * 4) : null;
  try {
    await text?.keep();
    // Another token of the same attempt proves the same, so the token is left out of the
    // comparison.
    const asked = { ...input, leaseToken: null };
    const { fragment, replaced } = await change(domain, principal, async (change) => {
      const scope = await scopeOf(change, principal, input);
      // The job is locked before a file of it is removed, and a new file needs the row of its job.
      if (scope.job) await change.tx.run(lockJob, { id: scope.job.id });
      return once(change, {
        operation: 'createFragment',
        scope: scope.scopeId,
        input: asked,
        run: async () => {
          const known = await reusable(change, scope, input);
          if (known) return { value: { fragment: known, replaced: null }, ids: [known.id] };
          const freed = await freeFilename(change, principal, scope, input, text !== null);
          const fragment = await addFragment(change, principal, scope, input, {
            id,
            file: text?.file ?? null,
            isDeferred: freed.isDeferred,
          });
          return { value: { fragment, replaced: freed.replaced }, ids: [fragment.id] };
        },
        replay: async ([known = '']) => {
          const [fragment] = await change.tx.run(lockFragment, { id: known });
          if (!fragment) throw new NotFound('fragment', known);
          return { fragment, replaced: null };
        },
      });
    });
    if (replaced) await domain.files.remove(replaced);
    if (text && fragment.id !== id) await domain.files.remove(id);
    return { fragment, ...uploadOf(domain, fragment) };
  } catch (error) {
    if (text && !isOpenStill(error)) await domain.files.remove(id);
    throw error;
  }
}

function uploadOf(domain: Domain, fragment: FragmentRow) {
  if (fragment.status === 'READY') return { uploadUrl: null, uploadExpiresAt: null };
  const { url, expiresAt } = signUrl(domain, 'PUT', fragment.id);
  return { uploadUrl: url, uploadExpiresAt: expiresAt };
}

function checkFragment(domain: Domain, input: CreateFragmentInput): void {
  const checks = new Checks(domain);
  const { filename, contentType, sha256, sizeBytes, text, ifExists } = input;
  if (!input.jobId === !input.projectId) checks.refuse(['jobId'], 'or projectId is needed: give exactly one of the two.');
  if (input.projectId && (input.stepNumber != null || input.leaseToken))
    checks.refuse(['projectId'], 'must not be given together with stepNumber or leaseToken. Give jobId instead.');
  checks.filename(['filename'], filename);
  checks.name(['name'], input.name);
  if (contentType != null && !/^[\w!#$&^.+-]{1,80}\/[\w!#$&^.+-]{1,80}( *; *[\w-]+=[\w."-]+)*$/.test(contentType)) {
    checks.refuse(['contentType'], 'must be a media type, such as text/plain.');
  }
  checks.range(['sizeBytes'], sizeBytes, 0, domain.limits.fragmentBytesAtMost);
  if (sha256 != null && !/^[0-9a-f]{64}$/.test(sha256)) checks.refuse(['sha256'], 'must be 64 hexadecimal digits in lower case.');
  if (ifExists === 'REUSE' && sha256 == null) checks.refuse(['sha256'], 'is needed with ifExists: REUSE. The existing file must have it.');
  if (text != null && (sizeBytes != null || sha256 != null))
    checks.refuse(['text'], 'must not be given together with sizeBytes or sha256: they follow from the text.');
  checks.done();
}

/** The owner of a new fragment: a project, a job or an attempt. */
export interface FragmentScope {
  readonly scopeId: string;
  readonly projectId: string;
  readonly job: JobRow | null;
  readonly step: StepRow | null;
  readonly attempt: number | null;
  readonly deviceId: string | null;
}

async function scopeOf(change: Change, principal: Principal, input: CreateFragmentInput): Promise<FragmentScope> {
  if (input.projectId) {
    const { id } = await visibleProject(change, principal, input.projectId);
    if (principal.jobId !== null) throw new NotFound('project', id);
    return { scopeId: id, projectId: id, job: null, step: null, attempt: null, deviceId: null };
  }
  const held = input.leaseToken ? await requireLease(change, principal, input.leaseToken) : await ownStep(change, principal);
  const job = await visibleJob(change, principal, input.jobId ?? '');
  if (held && held.step.jobId !== job.id) throw wrongInput.jobOfOtherLease();
  const named = input.stepNumber != null ? await namedStep(change, job, input.stepNumber) : null;
  if (held && named && named.id !== held.step.id) throw wrongInput.stepOfOtherLease();
  const step = held?.step ?? named;
  return {
    scopeId: job.id,
    projectId: job.projectId,
    job,
    step,
    attempt: held ? held.step.attemptCount : null,
    deviceId: held?.step.leaseDeviceId ?? null,
  };
}

/**
 * The step of a principal that authenticated with a lease token. The lease may have ended since.
 */
async function ownStep({ tx, now }: Change, { stepId, attempt }: Principal): Promise<{ step: StepRow } | null> {
  const [step] = stepId ? await tx.run(lockStep, { id: stepId }) : [];
  if (!step) return null;
  const isCurrent = isHeldStep(step.status) && step.attemptCount === attempt && step.leaseExpiresAt !== null && step.leaseExpiresAt > now;
  if (!isCurrent) throw new StaleLease(step, attempt ?? 0);
  return { step };
}

async function namedStep({ tx }: Change, job: JobRow, number: number): Promise<StepRow> {
  const [step] = await tx.run(stepByNumber, { jobId: job.id, number });
  if (!step) throw wrongInput.noStep(job);
  return step;
}

async function addFragment(
  change: Change,
  principal: Principal,
  { scopeId, projectId, job, step, attempt, deviceId }: FragmentScope,
  input: CreateFragmentInput,
  { id, file, isDeferred = false }: { id: string; file: StoredFile | null; isDeferred?: boolean },
): Promise<FragmentRow> {
  const fragment: FragmentRow = {
    id,
    projectId,
    jobId: job?.id ?? null,
    stepId: step?.id ?? null,
    stepNumber: step?.number ?? null,
    attempt,
    deviceId,
    scopeId,
    filename: input.filename,
    filenameKey: isDeferred ? deferredKeyOf(id) : filenameKeyOf(input.filename),
    name: input.name ?? input.filename,
    type: input.type,
    status: file ? 'READY' : 'PENDING',
    contentType: input.contentType ?? contentTypeOf(input.filename),
    sizeBytes: file?.sizeBytes ?? input.sizeBytes ?? null,
    sha256: file?.sha256 ?? input.sha256 ?? null,
    owner: principal.name,
    createdAt: change.now,
    readyAt: file ? change.now : null,
  };
  await insertRows(change.tx, insertFragment, [fragment]);
  if (file && job) record(change, job, { type: 'FRAGMENT_READY', fragmentId: id, stepId: null, attempt });
  return fragment;
}

/**
 * Stores a file that the gateway itself writes for a job, such as its output document, and replaces
 * an earlier one. Call it in a change, after the bytes are stored.
 */
export async function putOwnFragment(
  change: Change,
  principal: Principal,
  job: JobRow,
  { id, file, filename, type }: { id: string; file: StoredFile; filename: string; type: FragmentType },
): Promise<{ fragment: FragmentRow; replaced: string | null }> {
  const scope: FragmentScope = { scopeId: job.id, projectId: job.projectId, job, step: null, attempt: null, deviceId: null };
  const [known] = await change.tx.run(fragmentByFilename, { scopeId: job.id, filenameKey: filenameKeyOf(filename) });
  if (known && known.type !== type) throw wrongState.fragmentOfOtherType(filename, known.type, job);
  if (known) await change.tx.run(deleteFragmentRow, { id: known.id });
  const fragment = await addFragment(change, principal, scope, { filename, type }, { id, file });
  return { fragment, replaced: known?.id ?? null };
}

/**
 * Makes a fragment READY after its bytes are stored. Throws StaleLease if the attempt that created
 * it no longer holds its step.
 */
export async function finishUpload(domain: Domain, id: string, { sizeBytes, sha256 }: StoredFile): Promise<FragmentRow> {
  const { fragment, replaced } = await change(domain, null, async (anonymous) => {
    const { tx, now } = anonymous;
    // Lock order: the step, then the job, then the fragment. The job is locked if another file is
    // replaced.
    const [seen] = await tx.run(fragmentById, { id });
    if (seen) await requireAttempt(anonymous, seen);
    if (seen?.jobId && isDeferredReplacement(seen)) await tx.run(lockJob, { id: seen.jobId });
    const [announced] = await tx.run(lockFragment, { id });
    if (!announced) throw new NotFound('fragment', id);
    const filenameKey = filenameKeyOf(announced.filename);
    const replaced = isDeferredReplacement(announced) ? await removeReplaced(tx, announced, filenameKey) : null;
    const fragment = await moveFragment(anonymous, announced, 'store', { filenameKey, sizeBytes, sha256, readyAt: now });
    if (fragment.jobId) {
      const job = { id: fragment.jobId, projectId: fragment.projectId };
      record({ ...anonymous, actor: fragment.owner }, job, { type: 'FRAGMENT_READY', fragmentId: id, attempt: fragment.attempt });
    }
    return { fragment, replaced };
  });
  if (replaced !== null) await domain.files.remove(replaced);
  return fragment;
}

/**
 * Refuses an upload early that would be refused at its end, because its attempt no longer holds the
 * step.
 */
export async function requireUpload({ store }: Domain, { stepId, attempt }: FragmentRow): Promise<void> {
  const [step] = stepId && attempt !== null ? await store.read.run(stepById, { id: stepId }) : [];
  if (step && attempt !== null) requireHolder(step, attempt);
}

async function requireAttempt({ tx }: Change, { stepId, attempt }: FragmentRow): Promise<void> {
  if (stepId === null || attempt === null) return;
  const [step] = await tx.run(lockStep, { id: stepId });
  if (step) requireHolder(step, attempt);
}

function requireHolder(step: StepRow, attempt: number): void {
  if (step.attemptCount !== attempt || !isHeldStep(step.status)) throw new StaleLease(step, attempt);
}

export async function deleteFragment(
  domain: Domain,
  principal: Principal,
  { fragmentId }: { fragmentId: string },
): Promise<{ deletedFragmentId: string }> {
  requireRight(principal, 'deleteFragments');
  await change(domain, principal, async (change) => {
    const { tx } = change;
    const [fragment] = await tx.run(lockFragment, { id: fragmentId });
    const isProjects = principal.jobId !== null && fragment?.jobId === null;
    if (!fragment || isProjects || !sees(principal, fragment)) throw new NotFound('fragment', fragmentId);
    await requireUnneeded(tx, fragment);
    await tx.run(deleteFragmentRow, { id: fragmentId });
    const { filename: name, projectId, jobId, type, sha256 } = fragment;
    const gone = { jobId: { from: jobId }, type: { from: type }, sha256: { from: sha256 } };
    await audit(change, 'FRAGMENT_DELETED', { type: 'FRAGMENT', id: fragmentId, name, projectId }, gone);
  });
  await domain.files.remove(fragmentId);
  return { deletedFragmentId: fragmentId };
}

/** Deletes the bytes of fragments whose rows are gone. */
export async function removeFiles(domain: Domain, ids: readonly string[]): Promise<void> {
  for (const id of ids) await domain.files.remove(id);
}

/** A signed URL, relative to the gateway, that expires. Null until the upload is complete. */
export const downloadUrlOf = (domain: Domain, fragment: FragmentRow): string | null =>
  fragment.status === 'READY' ? signUrl(domain, 'GET', fragment.id).url : null;

/**
 * The content of a small text. Null if it is not UTF-8, larger than `maxBytes`, or not uploaded
 * completely.
 */
export async function readText(domain: Domain, { id, status, sizeBytes, sha256 }: FragmentRow, maxBytes: number): Promise<string | null> {
  if (status !== 'READY' || sha256 === null || sizeBytes === null || sizeBytes > maxBytes) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await buffer(domain.files.read({ id, sha256 })));
  } catch {
    return null;
  }
}
