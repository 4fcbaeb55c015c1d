/** The output document of a job: its reported result, with the input that it ran with. */

import { jobItemsOf } from '../../store/changes/jobs.ts';
import type { StoredFile } from '../../store/files/file-store.ts';
import { jobById } from '../../store/queries/rows.ts';
import type { FragmentRow, JobRow } from '../../store/schema/tables.ts';
import { isOpenStill } from '../../store/unavailable.ts';
import { maskOfOutput } from '../access/masking.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight, sees } from '../access/rights.ts';
import { type Change, change, record } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { isTerminalJob } from '../core/lifecycle.ts';
import { NotFound, wrongInput, wrongState } from '../core/refusals.ts';
import { later, setJobFields } from '../core/transitions.ts';
import { putOwnFragment } from '../files/fragments.ts';
import { requireLease } from '../steps/held.ts';
import { lockedJob } from '../steps/lock-order.ts';
import { typedValue } from './items.ts';

const FILENAME = 'output.json';
/** Names of values that readers of the job should not see. */
const SECRET = /key|token|secret|password|passwd|credential|auth/i;
const MASK = '***';

/**
 * Stores `output` with the job's settings, items and environment as the fragment output.json.
 * Replaces an earlier one.
 */
export async function setJobOutput(
  domain: Domain,
  principal: Principal,
  input: { jobId: string; output: Record<string, unknown>; leaseToken?: string | null | undefined },
): Promise<{ job: JobRow; fragment: FragmentRow }> {
  requireRight(principal, 'writeOutput');
  // A device writes for the step that it holds, not for any job of its project.
  if (!input.leaseToken) requireRight(principal, 'writeWithoutLease');
  const checks = new Checks(domain);
  checks.json(['output'], input.output);
  checks.done();
  return withDocument(domain, principal, input, async (document) => {
    const stored = await change(domain, principal, async (change) => {
      const held = input.leaseToken ? await requireLease(change, principal, input.leaseToken) : null;
      if (held && held.step.jobId !== input.jobId) throw wrongInput.jobOfOtherLease();
      return storeOutput(change, principal, await lockedJob(change, input.jobId), document);
    });
    return { value: stored, replaced: stored.replaced };
  });
}

/** The output reported by an attempt with its lease. */
interface Said {
  readonly jobId: string;
  readonly output: Record<string, unknown>;
  readonly leaseToken?: string | null | undefined;
}

/** The text of output.json on disk, before the change that makes it a fragment. */
export interface OutputDocument {
  readonly id: string;
  readonly file: StoredFile;
  readonly output: Record<string, unknown>;
}

/**
 * Writes the document of a job to disk, then runs the change that stores it. The file is written
 * before the transaction, so that a READY row always has its bytes. If the change fails, the new
 * file is removed; otherwise the one that it replaced.
 */
export async function withDocument<T>(
  domain: Domain,
  principal: Principal,
  of: Said,
  store: (document: OutputDocument) => Promise<{ value: T; replaced: string | null }>,
): Promise<T> {
  const id = domain.ids.next('Fragment');
  const content = await contentOf(domain, principal, of);
  const text = JSON.stringify(content, null, 2);
  const { file, keep } = await domain.files.receive(id, [Buffer.from(text)], Buffer.byteLength(text));
  try {
    await keep();
    const { value, replaced } = await store({ id, file, output: content.output });
    if (replaced) await domain.files.remove(replaced);
    return value;
  } catch (error) {
    if (!isOpenStill(error)) await domain.files.remove(id);
    throw error;
  }
}

/** Makes a written document the job's output. The job must be locked. */
export async function storeOutput(
  change: Change,
  principal: Principal,
  job: JobRow,
  { id, file, output }: OutputDocument,
): Promise<{ job: JobRow; fragment: FragmentRow; replaced: string | null }> {
  if (isTerminalJob(job.status)) throw wrongState.jobEnded(job);
  const fields = { output, updatedAt: later(change.now, job.updatedAt) };
  await setJobFields(change, job.id, fields);
  record(change, job, { type: 'JOB_UPDATED', details: ['output'] });
  const stored = await putOwnFragment(change, principal, job, { id, file, filename: FILENAME, type: 'OUTPUT' });
  return { job: { ...job, ...fields }, ...stored };
}

async function contentOf(domain: Domain, principal: Principal, { jobId, output, leaseToken }: Said) {
  const { read } = domain.store;
  // PostgreSQL's text cannot contain NUL, so no id does.
  const [job] = jobId.includes('\0') ? [] : await read.run(jobById, { id: jobId });
  if (!job || !sees(principal, { projectId: job.projectId, jobId })) throw new NotFound('job', jobId);
  const items = await read.run(jobItemsOf, { jobId });
  const mask = await maskOfOutput(domain, job, leaseToken ?? null);
  return {
    output: mask.value(output),
    settings: masked(job.settings),
    items: masked(Object.fromEntries(items.map((item) => [item.name, typedValue(item)]))),
    environment: masked(Object.fromEntries((job.container?.env ?? []).map(({ name, value, isSecret }) => [name, isSecret ? MASK : value]))),
  };
}

/** The same value with everything named like a secret masked, at any depth. */
function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, SECRET.test(key) ? MASK : masked(entry)]));
}
