/** Filenames: each is used once in its scope, a job or a project. */
import { experimentStartingFrom } from '../../store/changes/experiments.ts';
import { roundThatNeeds } from '../../store/changes/federations.ts';
import { deleteFragmentRow } from '../../store/changes/fragments.ts';
import { jobRunningCode } from '../../store/changes/jobs.ts';
import { jobStartingFrom, versionsOfFragment } from '../../store/changes/models.ts';
import { fragmentByFilename } from '../../store/queries/rows.ts';
import type { FragmentRow } from '../../store/schema/tables.ts';
import type { Tx } from '../../store/store.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight } from '../access/rights.ts';
import type { Change } from '../core/change.ts';
import { nameTaken, wrongState } from '../core/refusals.ts';
import type { CreateFragmentInput, FragmentScope } from './fragments.ts';

/** The canonical form of a filename: case and the encoding of accents make no difference. */
export const filenameKeyOf = (filename: string) => filename.normalize('NFC').toLowerCase();

/**
 * With `ifExists: REUSE`, the file of this name that is the same by its hash, if there is one. Its
 * bytes may not be stored yet. Then several clients may upload them, and the first is kept.
 */
export async function reusable({ tx }: Change, { scopeId }: FragmentScope, input: CreateFragmentInput): Promise<FragmentRow | null> {
  if (input.ifExists !== 'REUSE') return null;
  const [known] = await tx.run(fragmentByFilename, { scopeId, filenameKey: filenameKeyOf(input.filename) });
  return known && known.sha256 === input.sha256 ? known : null;
}

/** The result of freeing a filename. */
interface FreedFilename {
  /** The fragment that was removed. Its file is to be removed after the transaction. */
  readonly replaced: string | null;
  /** The existing file stays until the new one is complete. */
  readonly isDeferred: boolean;
}

/**
 * Frees the filename for a new fragment. A file of an earlier attempt of the same step is removed,
 * and so is one whose upload never finished. Any other file is refused, or replaced with `ifExists:
 * REPLACE`. It stays readable until its replacement is complete: at once with `isComplete`,
 * otherwise at the end of the upload.
 */
export async function freeFilename(
  { tx }: Change,
  principal: Principal,
  scope: FragmentScope,
  { filename, ifExists }: CreateFragmentInput,
  isComplete: boolean,
): Promise<FreedFilename> {
  const [known] = await tx.run(fragmentByFilename, { scopeId: scope.scopeId, filenameKey: filenameKeyOf(filename) });
  if (!known) return { replaced: null, isDeferred: false };
  const isOfEarlierAttempt = known.stepId !== null && known.stepId === scope.step?.id && (known.attempt ?? 0) < (scope.attempt ?? 0);
  const isUnfinished =
    known.status === 'PENDING' && (known.owner === principal.name || (scope.attempt !== null && known.stepId === scope.step?.id));
  const isReplaced = ifExists === 'REPLACE';
  if (!isOfEarlierAttempt && !isUnfinished) {
    if (!isReplaced) throw nameTaken.fragment(known.filename, known);
    // The principal of a lease may have the same name as the job's creator, but has fewer rights.
    const isOwn = scope.attempt === null ? known.owner === principal.name : known.stepId !== null;
    if (!isOwn) requireRight(principal, 'deleteFragments');
  }
  if (isReplaced) await requireUnneeded(tx, known);
  if (isReplaced && !isUnfinished && !isComplete) return { replaced: null, isDeferred: true };
  await tx.run(deleteFragmentRow, { id: known.id });
  return { replaced: known.id, isDeferred: false };
}

/**
 * The key of a replacement until its upload is complete. No filename has such a key, because none
 * begins with a slash.
 */
export const deferredKeyOf = (id: string) => `//${id}`;

export const isDeferredReplacement = ({ filenameKey }: FragmentRow) => filenameKey.startsWith('//');

/**
 * Removes the file that a completed upload replaces, if it is still there and may still be
 * replaced. Returns its id.
 */
export async function removeReplaced(tx: Tx, { scopeId, attempt, createdAt }: FragmentRow, filenameKey: string): Promise<string | null> {
  const [known] = await tx.run(fragmentByFilename, { scopeId, filenameKey });
  if (!known) return null;
  // The right to replace was checked for the file of that time. Another one may have come since.
  if (attempt !== null && known.stepId === null && known.createdAt > createdAt) throw wrongState.fragmentOfNoStep(known.status);
  await requireUnneeded(tx, known);
  await tx.run(deleteFragmentRow, { id: known.id });
  return known.id;
}

/** Throws if something else needs the fragment, so that it can be neither deleted nor replaced. */
export async function requireUnneeded(tx: Tx, fragment: FragmentRow): Promise<void> {
  const [starting] = await tx.run(jobStartingFrom, { fragmentId: fragment.id });
  if (starting) throw wrongState.fragmentStartsJob(starting);
  const [running] = await tx.run(jobRunningCode, { fragmentId: fragment.id });
  if (running) throw wrongState.fragmentIsCode(running);
  const [experiment] = await tx.run(experimentStartingFrom, { fragmentId: fragment.id });
  if (experiment) throw wrongState.fragmentStartsExperiment(experiment, fragment.status);
  const ofRound = fragment.jobId === null ? undefined : await roundThatNeeds(tx, { jobId: fragment.jobId, fragmentId: fragment.id });
  if (ofRound) throw wrongState.fragmentOfRound(ofRound, ['SUCCEEDED', 'FAILED', 'CANCELLED']);
  const [versions] = await tx.run(versionsOfFragment, { fragmentId: fragment.id });
  if (versions && versions.count > 0) throw wrongState.fragmentOfModel(fragment.status);
}
