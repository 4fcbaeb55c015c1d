/** Join links: one device for each, once, and nothing else. */
import { expect, test } from 'vitest';
import { revokeApiKey } from '../../../src/domain/access/key-changes.ts';
import { authenticate } from '../../../src/domain/access/keys.ts';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { may } from '../../../src/domain/access/rights.ts';
import { AlreadyExists, InvalidState } from '../../../src/domain/core/refusals.ts';
import { createProject } from '../../../src/domain/jobs/projects.ts';
import { inviteDevice, joinDevice } from '../../../src/domain/steps/join-links.ts';
import { describeOnGround, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('A join link', (ground) => {
  const invite = async (input: object = {}, as: Principal = admin) => {
    const { domain, project } = ground().seed;
    return inviteDevice(domain, as, { projectId: project.id, ...input });
  };
  const join = (link: Principal, name: string, idempotencyKey = 'first') =>
    joinDevice(ground().seed.domain, link, { name, idempotencyKey });

  test('makes one device of its project, whose key is an ordinary one', async () => {
    const { domain, principalOf, project } = ground().seed;
    const { secret, apiKey } = await invite();
    expect(apiKey).toMatchObject({ kind: 'DEVICE', deviceId: null, projectId: project.id });
    expect(JSON.stringify(await domain.store.read.db.select().from(domain.store.tables.apiKeys))).not.toContain(secret);
    const { device, secret: key } = await join(await principalOf(secret), 'gpu-1');
    expect(device).toMatchObject({ name: 'gpu-1', projectId: project.id, kind: 'WORKER' });
    expect(await principalOf(key)).toMatchObject({ kind: 'DEVICE', deviceId: device.id, projectId: project.id });
  });

  test('is refused a second time, unless it is the same request again', async () => {
    const { principalOf } = ground().seed;
    const link = await principalOf((await invite()).secret);
    const first = await join(link, 'gpu-2');
    const again = await join(link, 'gpu-2');
    expect(again.device.id).toBe(first.device.id);
    expect(await principalOf(again.secret)).toMatchObject({ deviceId: first.device.id });
    const refusal = await refusalOf(join(link, 'gpu-3', 'second'));
    expect(refusal).toBeInstanceOf(InvalidState);
    expect(refusal).toMatchObject({ message: 'The join link was used at 2026-01-01T00:00:00.000Z. Make another one.', status: 'USED' });
  });

  test('is used by one of many devices that join at once', async () => {
    const link = await ground().seed.principalOf((await invite()).secret);
    const joined = await Promise.allSettled(['a', 'b', 'c'].map((name) => join(link, name, name)));
    expect(joined.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  test('ends with its time, and when it is revoked', async () => {
    const { domain, clock, principalOf } = ground().seed;
    const { secret } = await invite({ expiresInSeconds: 60 });
    const { secret: other, apiKey } = await invite();
    const link = await principalOf(other);
    clock.advance(60_000);
    expect(await authenticate(domain, `Bearer ${secret}`)).toBeNull();
    await revokeApiKey(domain, admin, { apiKeyId: apiKey.id });
    expect(await authenticate(domain, `Bearer ${other}`)).toBeNull();
    expect(await refusalOf(join(link, 'late'))).toMatchObject({ status: 'REVOKED' });
  });

  test('takes over no device', async () => {
    const { registerDevice, principalOf } = ground().seed;
    await registerDevice({ name: 'mine' });
    const link = await principalOf((await invite()).secret);
    const refusal = await refusalOf(join(link, 'mine'));
    expect(refusal).toBeInstanceOf(AlreadyExists);
    expect((await join(link, 'yours')).device.name).toBe('yours');
  });

  test('may do nothing but join, and only editors of the project make one', async () => {
    const { domain, principalOf, registerDevice } = ground().seed;
    const link = await principalOf((await invite()).secret);
    const actions = [
      'ask',
      'readJobs',
      'readProjects',
      'readFragments',
      'claimSteps',
      'registerDevice',
      'revokeOwnKey',
      'inviteDevices',
    ] as const;
    expect(actions.filter((action) => may(link, action))).toEqual([]);
    const other = (await createProject(domain, admin, { name: 'other' })).project;
    const of = (projectId: string, role: 'VIEWER' | 'EDITOR'): Principal => ({ ...admin, role, projectId, name: `user:${role}` });
    const { project } = ground().seed;
    expect((await invite({}, of(project.id, 'EDITOR'))).apiKey.createdBy).toBe('user:EDITOR');
    expect(await refusalOf(invite({}, of(project.id, 'VIEWER')))).toMatchObject({ message: expect.stringContaining('invite devices') });
    expect(await refusalOf(invite({}, of(other.id, 'EDITOR')))).toMatchObject({ code: 'NOT_FOUND' });
    const { principal } = await registerDevice();
    expect(await refusalOf(invite({}, principal))).toMatchObject({ message: expect.stringContaining('invite devices') });
    expect(await refusalOf(join(principal, 'x'))).toMatchObject({ message: expect.stringContaining('join') });
    expect(await refusalOf(invite({ expiresInSeconds: 31 * 86_400 }))).toMatchObject({ issues: [{ path: ['expiresInSeconds'] }] });
  });
});
