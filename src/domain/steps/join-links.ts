/**
 * Join links: a key that makes one new device, once. It may do nothing else, so it can be sent to
 * the machine that is to join. In the table of keys it is a DEVICE key without a device.
 *
 *     LIVE ── joinDevice ──▶ used (REVOKED)
 *       └──── its time ends ──▶ EXPIRED
 */
import type { Optional } from '../../store/optional.ts';
import { lockKey, saveKeyFields } from '../../store/queries/keys.ts';
import { deviceById, deviceByName } from '../../store/queries/rows.ts';
import type { DeviceRow } from '../../store/schema/tables.ts';
import { audit, madeWith } from '../access/audit.ts';
import { endIn, keyFields, type NewApiKey, subjectOf } from '../access/key-changes.ts';
import { giveNewKey } from '../access/key-rotation.ts';
import { addKey } from '../access/keys.ts';
import type { Principal } from '../access/principal.ts';
import { requireAllProjects, requireRight } from '../access/rights.ts';
import { visibleProject } from '../access/visible.ts';
import { change, topics } from '../core/change.ts';
import { Checks } from '../core/checks.ts';
import type { Domain } from '../core/domain.ts';
import { NotFound, nameTaken, wrongState } from '../core/refusals.ts';
import type { DeviceKind } from '../core/vocabulary.ts';
import { checkDeviceFields } from './device-fields.ts';
import { addDevice } from './devices.ts';

const USUAL_SECONDS = 3_600;
const MOST_SECONDS = 30 * 86_400;
const LONGEST_KEY = 200;

export interface InviteDeviceInput {
  projectId?: Optional<string>;
  expiresInSeconds?: Optional<number>;
}

/** Makes a join link for a device of a project, or of all projects. */
export async function inviteDevice(domain: Domain, principal: Principal, input: InviteDeviceInput): Promise<NewApiKey> {
  requireRight(principal, 'inviteDevices');
  const seconds = input.expiresInSeconds ?? USUAL_SECONDS;
  const checks = new Checks(domain);
  checks.range(['expiresInSeconds'], seconds, 1, MOST_SECONDS);
  checks.done();
  return change(domain, principal, async (change) => {
    const projectId = input.projectId ?? principal.projectId;
    if (projectId === null) requireAllProjects(principal, 'inviteDevices');
    else await visibleProject(change, principal, projectId);
    const made = await addKey(change, { name: 'join link', kind: 'DEVICE', projectId, expiresAt: endIn(change, seconds) ?? null });
    await audit(change, 'KEY_CREATED', subjectOf(made.apiKey), madeWith(made.apiKey, keyFields));
    return made;
  });
}

export interface JoinDeviceInput {
  name: string;
  kind?: Optional<DeviceKind>;
  idempotencyKey: string;
}

/**
 * Makes the device that a join link is for, with a key of its own. The link is used up. The answer
 * may get lost with the key in it, so the same request gets another key for the same device.
 */
export async function joinDevice(
  domain: Domain,
  principal: Principal,
  { idempotencyKey, ...given }: JoinDeviceInput,
): Promise<{ device: DeviceRow; secret: string }> {
  requireRight(principal, 'joinDevice');
  const checks = new Checks(domain);
  checkDeviceFields(checks, given);
  checks.name(['idempotencyKey'], idempotencyKey);
  checks.length(['idempotencyKey'], idempotencyKey, LONGEST_KEY);
  checks.done();
  return change(domain, principal, async (change) => {
    const { tx, now } = change;
    const [link] = await tx.run(lockKey, { id: principal.keyId ?? '' });
    if (!link) throw new NotFound('key', principal.keyId ?? '');
    if (link.joined !== null) {
      if (link.joined.idempotencyKey !== idempotencyKey) throw wrongState.joinLinkUsed(link.revokedAt ?? now);
      const [device] = await tx.run(deviceById, { id: link.joined.deviceId });
      if (!device) throw new NotFound('device', link.joined.deviceId);
      return { device, secret: await giveNewKey(change, device) };
    }
    if (link.revokedAt !== null) throw wrongState.keyEnded('REVOKED');
    const [known] = await tx.run(deviceByName, { projectKey: link.projectId ?? '', name: given.name });
    if (known) throw nameTaken.device(given.name, known);
    const { device, apiKey } = await addDevice(change, link.projectId, given, now);
    await saveKeyFields(tx, link.id, { revokedAt: now, joined: { deviceId: device.id, idempotencyKey } });
    tx.touch(topics.key(link.id));
    await audit(change, 'KEY_REVOKED', subjectOf(link));
    return { device, secret: apiKey };
  });
}
