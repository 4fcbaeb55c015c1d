/**
 * Rotation: a new key replaces another, with the same rights and name. Both are valid during an
 * overlap, so that clients have time to switch.
 *
 *     LIVE ── rotateApiKey ──▶ LIVE, replaced ── the overlap ends ──▶ EXPIRED
 *
 * The secret is sent once, and an answer may get lost. So a key whose replacement was never used
 * can be rotated again: the unused replacement is revoked, and another made. After the first use of
 * the replacement this is refused, so that a thief of the old key cannot get a new one with it.
 */
import { lockDevice } from '../../store/changes/devices.ts';
import type { Optional } from '../../store/optional.ts';
import { keyByHash, keyById, keysMadeBy, keysOfDevice, lastRotationBy, lockKey, saveKeyFields } from '../../store/queries/keys.ts';
import type { ApiKeyRow, DeviceRow } from '../../store/schema/tables.ts';
import { type Change, change, topics } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { InvalidInput, wrongState } from '../core/refusals.ts';
import { audit, changedBetween, madeWith } from './audit.ts';
import { endIn, endKey, keyFields, type NewApiKey, requireChange, requireLiveKey, subjectOf, visibleKey } from './key-changes.ts';
import { addKey, stateOfKey } from './keys.ts';
import type { Principal } from './principal.ts';
import { may, requireRight } from './rights.ts';
import { hashOf } from './secrets.ts';

/** An hour. A fleet that reads its secrets every few minutes has the new one long before. */
const OVERLAP_SECONDS = 3_600;
/** Each rotation adds a key and audit entries: one in a loop would fill the store. */
const OWN_ROTATION_EVERY_MS = 60_000;

export interface RotateApiKeyInput {
  apiKeyId: string;
  overlapSeconds?: Optional<number>;
  expiresInSeconds?: Optional<number>;
}

/**
 * Makes a key that replaces another, which expires with the overlap. Needs the right to change
 * keys; a DEVICE key may also rotate itself, once a minute.
 */
export async function rotateApiKey(
  domain: Domain,
  principal: Principal,
  input: RotateApiKeyInput,
): Promise<NewApiKey & { replaced: ApiKeyRow }> {
  const isOwn = principal.keyId === input.apiKeyId && may(principal, 'rotateOwnKey');
  // A key must not extend its own life.
  if (!isOwn || input.expiresInSeconds != null) requireRight(principal, 'changeJobKeys');
  const overlapSeconds = input.overlapSeconds ?? OVERLAP_SECONDS;
  const checks = new Checks(domain);
  checks.range(['overlapSeconds'], overlapSeconds, 0, domain.limits.overlapSecondsAtMost);
  checks.seconds(['expiresInSeconds'], input.expiresInSeconds);
  checks.done();
  return change(domain, principal, async (change) => {
    if (isOwn) await requirePause(change, principal);
    const before = await visibleKey(change, principal, input.apiKeyId);
    if (!isOwn) requireChange(principal, before);
    requireLiveKey(before, change.now);
    const unused = await takeUnused(change, before);
    const { name, kind, role, projectId, jobId, deviceId } = before;
    const made = await addKey(change, {
      ...{ name, kind, role, projectId, jobId, deviceId, rotatedFromId: before.id },
      // An earlier rotation shortened the old key's life: its replacement has the intended expiry.
      expiresAt: endIn(change, input.expiresInSeconds) ?? (unused ?? before).expiresAt,
    });
    await audit(change, 'KEY_CREATED', subjectOf(made.apiKey), madeWith(made.apiKey, keyFields));
    return { ...made, replaced: await replace(change, before, made.apiKey, overlapSeconds) };
  });
}

/** Throws InvalidState if a key of the device rotated itself less than a minute ago. */
async function requirePause({ tx, now }: Change, { deviceId, name }: Principal): Promise<void> {
  if (deviceId === null) return;
  await tx.run(lockDevice, { id: deviceId });
  const since = new Date(now.getTime() - OWN_ROTATION_EVERY_MS);
  const [last] = await tx.run(lastRotationBy, { deviceId, createdBy: name, since, now });
  if (!last) return;
  const next = new Date(last.createdAt.getTime() + OWN_ROTATION_EVERY_MS);
  throw wrongState.keyRotatedJustNow(last, next);
}

/**
 * Revokes and returns the replacement of an earlier rotation if it was never used. Null if there
 * was no rotation.
 */
async function takeUnused(change: Change, { replacedById }: ApiKeyRow): Promise<ApiKeyRow | null> {
  const [earlier] = replacedById === null ? [] : await change.tx.run(lockKey, { id: replacedById });
  if (!earlier) return null;
  if (earlier.lastUsedAt !== null || earlier.replacedById !== null) throw wrongState.keyReplacementInUse(earlier);
  await endKey(change, earlier);
  return earlier;
}

/**
 * Marks `by` as the replacement of `before`, which expires after the overlap, or earlier if it
 * would have anyway.
 */
async function replace(change: Change, before: ApiKeyRow, by: ApiKeyRow, overlapSeconds: number): Promise<ApiKeyRow> {
  const end = new Date(change.now.getTime() + overlapSeconds * 1_000);
  const expiresAt = before.expiresAt !== null && before.expiresAt < end ? before.expiresAt : end;
  const after: ApiKeyRow = { ...before, expiresAt, replacedById: by.id };
  await saveKeyFields(change.tx, before.id, { expiresAt, replacedById: by.id });
  change.tx.touch(topics.key(before.id));
  await audit(change, 'KEY_ROTATED', subjectOf(after), changedBetween(before, after, { shown: ['expiresAt', 'replacedById'] }));
  return after;
}

/**
 * Makes a key for a device that replaces all its keys. They expire after the overlap. For a device
 * that is registered again because its key is lost or unknown.
 */
export async function giveNewKey(change: Change, { id, name, projectId }: DeviceRow): Promise<string> {
  const earlier = await change.tx.run(keysOfDevice, { deviceId: id, now: change.now });
  const made = await addKey(change, { name, kind: 'DEVICE', projectId, deviceId: id });
  await audit(change, 'KEY_CREATED', subjectOf(made.apiKey), madeWith(made.apiKey, keyFields));
  for (const key of earlier) await replace(change, key, made.apiKey, OVERLAP_SECONDS);
  return made.secret;
}

/** The `createdBy` of keys that the operator chose. */
const bySetting = 'setting:TRAINYARD_ADMIN_KEY';

/**
 * Stores a secret that the operator chose as an ADMIN key for all projects. The key of the earlier
 * value is rotated: it expires an hour later, so that its users can switch. Setting the earlier
 * value again in that time undoes the rotation. Does nothing if nothing changed. Throws
 * InvalidInput for a key that has ended: the setting does not revive it.
 */
export async function acceptAdminKey(domain: Domain, secret: string): Promise<void> {
  const refuse = (message: string) => new InvalidInput([{ path: ['TRAINYARD_ADMIN_KEY'], message }]);
  if (!/^\S{16,512}$/.test(secret)) throw refuse('must have 16 to 512 characters and no spaces.');
  await change(domain, null, async (anonymous) => {
    const change = { ...anonymous, actor: bySetting };
    const { tx, now } = change;
    const hash = hashOf(secret);
    const [known] = await tx.run(keyByHash, { hash });
    const state = known ? stateOfKey(known, now) : 'LIVE';
    if (known && state !== 'LIVE') throw refuse(`is ${known.id}, which is ${state}: choose another.`);
    if (known && (known.role !== 'ADMIN' || known.projectId !== null))
      throw refuse(`is ${known.id}, which is not an ADMIN key for all projects: choose another.`);
    const key = known ? await restore(change, known) : await addOperatorKey(change, secret);
    for (const earlier of await tx.run(keysMadeBy, { createdBy: bySetting, hash, now }))
      await replace(change, earlier, key, OVERLAP_SECONDS);
  });
}

async function addOperatorKey(change: Change, secret: string): Promise<ApiKeyRow> {
  const { apiKey } = await addKey(change, { name: 'operator', kind: 'USER', role: 'ADMIN' }, secret);
  await audit(change, 'KEY_CREATED', subjectOf(apiKey), madeWith(apiKey, keyFields));
  return apiKey;
}

/**
 * Undoes the rotation of a key that the setting names again in time. A key that a person rotated
 * keeps its expiry: that person may want it gone.
 */
async function restore(change: Change, known: ApiKeyRow): Promise<ApiKeyRow> {
  if (known.createdBy !== bySetting || known.replacedById === null) return known;
  const [by] = await change.tx.run(keyById, { id: known.replacedById });
  if (by?.createdBy !== bySetting) return known;
  const after: ApiKeyRow = { ...known, expiresAt: null, replacedById: null };
  await saveKeyFields(change.tx, known.id, { expiresAt: null, replacedById: null });
  change.tx.touch(topics.key(known.id));
  await audit(change, 'KEY_CHANGED', subjectOf(after), changedBetween(known, after, { shown: ['expiresAt', 'replacedById'] }));
  return after;
}
