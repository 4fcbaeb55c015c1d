/** Which file of a job has a filename: each has it once. */
import { experimentStartingFrom } from '../../store/changes/experiments.ts';
import { roundThatNeeds } from '../../store/changes/federations.ts';
import { deleteFragmentRow } from '../../store/changes/fragments.ts';
import { jobStartingFrom, versionsOfFragment } from '../../store/changes/models.ts';
import { fragmentByFilename } from '../../store/queries/rows.ts';
import type { FragmentRow } from '../../store/schema/tables.ts';
import type { Tx } from '../../store/store.ts';
import type { Principal } from '../access/principal.ts';
import { requireRight } from '../access/rights.ts';
import type { Change } from '../core/change.ts';
import { nameTaken, wrongState } from '../core/refusals.ts';
import type { CreateFragmentInput, FragmentScope } from './fragments.ts';

/** Folded: a filename is the same in upper and lower case, however its accents are written. */
export const keyOf = (filename: string) => filename.normalize('NFC').toLowerCase();

/** Whether a file that is there stays until the new one is whole, and which one made room for it now. */
interface Room {
  readonly replaced: string | null;
  readonly isKept: boolean;
}

/**
 * A filename is used once in its scope. What an earlier attempt of the same step left makes room for this one's, and so does what was announced and
 * never came. Anything else is refused, or stays until what replaces it is whole: with `isWhole`, that is now.
 */
export async function makeRoom(
  { tx }: Change,
  principal: Principal,
  place: FragmentScope,
  { filename, ifExists }: CreateFragmentInput,
  isWhole: boolean,
): Promise<Room> {
  const [known] = await tx.run(fragmentByFilename, { scopeId: place.scopeId, filenameKey: keyOf(filename) });
  if (!known) return { replaced: null, isKept: false };
  const isOfEarlierAttempt = known.stepId !== null && known.stepId === place.step?.id && (known.attempt ?? 0) < (place.attempt ?? 0);
  const isUnfinished =
    known.status === 'PENDING' && (known.owner === principal.name || (place.attempt !== null && known.stepId === place.step?.id));
  const isReplaced = ifExists === 'REPLACE';
  if (!isOfEarlierAttempt && !isUnfinished) {
    if (!isReplaced) throw nameTaken.fragment(known.filename, known);
    // A step's lease may bear the name of who made the job, and is not that person.
    const isOwn = place.attempt === null ? known.owner === principal.name : known.stepId !== null;
    if (!isOwn) requireRight(principal, 'deleteFragments');
  }
  if (isReplaced) await requireUnneeded(tx, known);
  if (isReplaced && !isUnfinished && !isWhole) return { replaced: null, isKept: true };
  await tx.run(deleteFragmentRow, { id: known.id });
  return { replaced: known.id, isKept: false };
}

/** The key of a file that waits to take another's place: no filename's, since none begins with a slash. */
export const waitingKeyOf = (id: string) => `//${id}`;

export const isWaiting = ({ filenameKey }: FragmentRow) => filenameKey.startsWith('//');

/** Removes what a fragment replaces, if it is still there and still may be. Answers its id. */
export async function takePlace(tx: Tx, { scopeId, attempt, createdAt }: FragmentRow, filenameKey: string): Promise<string | null> {
  const [known] = await tx.run(fragmentByFilename, { scopeId, filenameKey });
  if (!known) return null;
  // Who announced it had the right to what was there then; something else may have come since.
  if (attempt !== null && known.stepId === null && known.createdAt > createdAt) throw wrongState.fragmentOfNoStep(known.status);
  await requireUnneeded(tx, known);
  await tx.run(deleteFragmentRow, { id: known.id });
  return known.id;
}

/** Throws where something else depends on a fragment, which so can neither be deleted nor replaced. */
export async function requireUnneeded(tx: Tx, fragment: FragmentRow): Promise<void> {
  const [starting] = await tx.run(jobStartingFrom, { fragmentId: fragment.id });
  if (starting) throw wrongState.fragmentStartsJob(starting);
  const [experiment] = await tx.run(experimentStartingFrom, { fragmentId: fragment.id });
  if (experiment) throw wrongState.fragmentStartsExperiment(experiment, fragment.status);
  const ofRound = fragment.jobId === null ? undefined : await roundThatNeeds(tx, { jobId: fragment.jobId, fragmentId: fragment.id });
  if (ofRound) throw wrongState.fragmentOfRound(ofRound, ['SUCCEEDED', 'FAILED', 'CANCELLED']);
  const [versions] = await tx.run(versionsOfFragment, { fragmentId: fragment.id });
  if (versions && versions.count > 0) throw wrongState.fragmentOfModel(fragment.status);
}
