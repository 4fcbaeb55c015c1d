/** Keys: created, changed, rotated with an overlap, ended (P15). */
import { eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { createApiKey, revokeApiKey, updateApiKey } from '../../../src/domain/access/key-changes.ts';
import { endOf, watchKey } from '../../../src/domain/access/key-ends.ts';
import { acceptAdminKey, rotateApiKey } from '../../../src/domain/access/key-rotation.ts';
import { authenticate } from '../../../src/domain/access/keys.ts';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { Wakeups } from '../../../src/realtime/wakeups.ts';
import { describeOnGround, type Ground, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

const NOW = '2026-01-01T00:00:00.000Z';
const after = (seconds: number) => new Date(Date.parse(NOW) + seconds * 1_000);

describeOnGround('A key', (on) => {
  const make = ({ seed }: Ground, input: Partial<Parameters<typeof createApiKey>[2]> = {}) =>
    createApiKey(seed.domain, admin, { name: 'k', kind: 'USER', role: 'EDITOR', projectId: seed.project.id, ...input });
  const rotate = ({ seed }: Ground, apiKeyId: string, input: object = {}, principal: Principal = admin) =>
    rotateApiKey(seed.domain, principal, { apiKeyId, ...input });
  const isGood = async ({ seed }: Ground, secret: string) => (await authenticate(seed.domain, `Bearer ${secret}`)) !== null;
  const used = async ({ seed, store }: Ground, id: string) => {
    // Waits for the last use that `authenticate` records in the background.
    await store.write(
      async ({ db, t }) => void (await db.update(t.apiKeys).set({ lastUsedAt: seed.clock.now() }).where(eq(t.apiKeys.id, id))),
    );
  };

  test('that is rotated stays valid beside the new one until the overlap ends, and no longer (P15)', async () => {
    const ground = on();
    const { seed } = ground;
    const old = await make(ground);
    const { apiKey, secret, replaced } = await rotate(ground, old.apiKey.id, { overlapSeconds: 60 });
    const { name, kind, role, projectId } = old.apiKey;
    expect(apiKey).toMatchObject({ name, kind, role, projectId, expiresAt: null, rotatedFromId: old.apiKey.id, createdBy: 'user:admin' });
    expect(replaced).toMatchObject({ id: old.apiKey.id, replacedById: apiKey.id, expiresAt: after(60) });
    expect(secret).not.toBe(old.secret);
    seed.clock.advance(59_999);
    expect([await isGood(ground, old.secret), await isGood(ground, secret)]).toEqual([true, true]);
    seed.clock.advance(1);
    expect([await isGood(ground, old.secret), await isGood(ground, secret)]).toEqual([false, true]);
    expect(await refusalOf(rotate(ground, old.apiKey.id))).toMatchObject({ code: 'INVALID_STATE', status: 'EXPIRED' });
  });

  test('that is rotated without an overlap ends at once', async () => {
    const ground = on();
    const old = await make(ground);
    const { secret } = await rotate(ground, old.apiKey.id, { overlapSeconds: 0 });
    expect([await isGood(ground, old.secret), await isGood(ground, secret)]).toEqual([false, true]);
  });

  test('that expires keeps its expiry: a rotation extends neither it nor its replacement', async () => {
    const ground = on();
    const old = await make(ground, { expiresInSeconds: 100 });
    const first = await rotate(ground, old.apiKey.id, { overlapSeconds: 50 });
    expect([first.replaced.expiresAt, first.apiKey.expiresAt]).toEqual([after(50), after(100)]);
    const second = await rotate(ground, old.apiKey.id, { overlapSeconds: 80 });
    expect([second.replaced.expiresAt, second.apiKey.expiresAt]).toEqual([after(50), after(100)]);
    expect((await rotate(ground, second.apiKey.id)).replaced.expiresAt).toEqual(after(100));
    const given = await make(ground, { expiresInSeconds: 100 });
    expect((await rotate(ground, given.apiKey.id, { expiresInSeconds: 500 })).apiKey.expiresAt).toEqual(after(500));
  });

  test('can be rotated again while its replacement was never used; that replacement is revoked', async () => {
    const ground = on();
    const old = await make(ground);
    const lost = await rotate(ground, old.apiKey.id);
    const found = await rotate(ground, old.apiKey.id);
    expect([await isGood(ground, old.secret), await isGood(ground, lost.secret), await isGood(ground, found.secret)]).toEqual([
      true,
      false,
      true,
    ]);
    await used(ground, found.apiKey.id);
    expect(await refusalOf(rotate(ground, old.apiKey.id))).toMatchObject({ code: 'INVALID_STATE', status: 'REPLACED' });
    expect(await refusalOf(rotate(ground, lost.apiKey.id))).toMatchObject({ code: 'INVALID_STATE', status: 'REVOKED' });
    expect((await rotate(ground, found.apiKey.id)).apiKey.rotatedFromId).toBe(found.apiKey.id);
  });

  test('that is rotated many times at once has one valid replacement', async () => {
    const ground = on();
    const old = await make(ground);
    const made = await Promise.all(Array.from({ length: 6 }, () => rotate(ground, old.apiKey.id)));
    expect((await Promise.all(made.map(({ secret }) => isGood(ground, secret)))).filter(Boolean)).toHaveLength(1);
  });

  test('of a device rotates itself, and changes nothing else of itself', async () => {
    const ground = on();
    const { seed } = ground;
    const device = await seed.registerDevice();
    const other = await seed.registerDevice();
    const keyId = device.principal.keyId ?? '';
    const { apiKey, secret } = await rotate(ground, keyId, {}, device.principal);
    expect(apiKey).toMatchObject({
      kind: 'DEVICE',
      deviceId: device.device.id,
      name: device.device.name,
      createdBy: device.principal.name,
    });
    expect(await seed.principalOf(secret)).toMatchObject({ kind: 'DEVICE', deviceId: device.device.id, name: device.principal.name });
    expect(await refusalOf(rotate(ground, keyId, { expiresInSeconds: 10 }, device.principal))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await refusalOf(rotate(ground, other.principal.keyId ?? '', {}, device.principal))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await refusalOf(updateApiKey(seed.domain, device.principal, { apiKeyId: keyId, name: 'x' }))).toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  test('of a device rotates itself once a minute, whichever of its keys it is (P14)', async () => {
    const ground = on();
    const { seed } = ground;
    const device = await seed.registerDevice();
    const keyId = device.principal.keyId ?? '';
    const first = await rotate(ground, keyId, {}, device.principal);
    const next = await seed.principalOf(first.secret);
    seed.clock.advance(59_000);
    const again = new Date(first.apiKey.createdAt.getTime() + 60_000).toISOString();
    expect(await refusalOf(rotate(ground, first.apiKey.id, {}, next))).toMatchObject({
      code: 'INVALID_STATE',
      status: 'LIVE',
      message: expect.stringContaining(`again at ${again}`),
    });
    expect((await rotate(ground, first.apiKey.id)).apiKey.createdBy).toBe('user:admin');
    seed.clock.advance(1_000);
    const other = await seed.registerDevice();
    await rotate(ground, other.principal.keyId ?? '', {}, other.principal);
    const lost = await rotate(ground, first.apiKey.id, {}, next);
    expect(lost.apiKey.rotatedFromId).toBe(first.apiKey.id);
  });

  test('of kind USER, JOB or WATCH does not rotate itself: a thief would lock its owner out', async () => {
    const ground = on();
    const { seed } = ground;
    const { job, token } = await seed.createJob();
    const secrets = [
      (await make(ground, { role: 'VIEWER' })).secret,
      token,
      (await make(ground, { kind: 'WATCH', projectId: null, jobId: job.id })).secret,
    ];
    for (const secret of secrets) {
      const principal = await seed.principalOf(secret);
      expect(await refusalOf(rotate(ground, principal.keyId ?? '', {}, principal))).toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  test('of a job ends with it, and so does its replacement', async () => {
    const ground = on();
    const { seed } = ground;
    const { job, token } = await seed.createJob();
    const keyId = (await seed.principalOf(token)).keyId ?? '';
    const { secret } = await rotate(ground, keyId);
    await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 60 });
    expect([await isGood(ground, token), await isGood(ground, secret)]).toEqual([false, false]);
    expect(await refusalOf(rotate(ground, keyId))).toMatchObject({ code: 'INVALID_STATE', status: 'REVOKED' });
  });

  test('of a job can be changed and revoked by an editor, who sees no other keys (P15)', async () => {
    const ground = on();
    const { seed, readAll } = ground;
    const editor = await seed.principalOf((await make(ground)).secret);
    const { job, token } = await seed.createJob();
    const link = await make(ground, { kind: 'WATCH', projectId: null, jobId: job.id });
    const others = [(await make(ground)).apiKey.id, (await seed.registerDevice()).principal.keyId ?? '', 'key_00000000000000000000000000'];
    expect((await updateApiKey(seed.domain, editor, { apiKeyId: link.apiKey.id, name: 'renamed' })).apiKey.name).toBe('renamed');
    expect((await revokeApiKey(seed.domain, editor, { apiKeyId: link.apiKey.id })).apiKey.revokedAt).toEqual(after(0));
    expect((await rotate(ground, (await seed.principalOf(token)).keyId ?? '', {}, editor)).apiKey.jobId).toBe(job.id);
    const before = await readAll();
    for (const apiKeyId of others) {
      for (const attempt of [revokeApiKey, rotateApiKey, updateApiKey])
        expect(await refusalOf(attempt(seed.domain, editor, { apiKeyId }))).toMatchObject({
          code: 'NOT_FOUND',
          message: `There is no key ${apiKeyId}.`,
        });
    }
    expect(await readAll()).toEqual(before);
  });

  test('can get another name and expiry, unless it has ended or was rotated', async () => {
    const ground = on();
    const { seed } = ground;
    const { apiKey, secret } = await make(ground, { expiresInSeconds: 10 });
    const update = (input: object) => updateApiKey(seed.domain, admin, { apiKeyId: apiKey.id, ...input });
    expect((await update({ name: 'laptop', expiresInSeconds: 20 })).apiKey).toMatchObject({ name: 'laptop', expiresAt: after(20) });
    seed.clock.advance(15_000);
    expect((await seed.principalOf(secret)).name).toBe('user:laptop');
    expect((await update({ neverExpires: true })).apiKey.expiresAt).toBe(null);
    expect(await refusalOf(update({ neverExpires: true, expiresInSeconds: 5 }))).toMatchObject({ issues: [{ path: ['neverExpires'] }] });
    await rotate(ground, apiKey.id, { overlapSeconds: 5 });
    expect(await refusalOf(update({ neverExpires: true }))).toMatchObject({ code: 'INVALID_STATE', status: 'REPLACED' });
    seed.clock.advance(5_000);
    expect(await refusalOf(update({ expiresInSeconds: 5 }))).toMatchObject({ code: 'INVALID_STATE', status: 'EXPIRED' });
    expect((await update({ name: 'old laptop' })).apiKey.name).toBe('old laptop');
  });

  test('whose expiry is changed while it is in use ends at the new time, not at the old one (P15)', async () => {
    const ground = on();
    const { seed } = ground;
    const { apiKey, secret } = await make(ground, { expiresInSeconds: 10 });
    const principal = await seed.principalOf(secret);
    await updateApiKey(seed.domain, admin, { apiKeyId: apiKey.id, expiresInSeconds: 20 });
    seed.clock.advance(15_000);
    expect(await endOf(seed.domain, principal)).toBe(null);
    const ended = Promise.withResolvers<string>();
    const stop = watchKey(seed.domain, new Wakeups(ground.store), principal, ended.resolve);
    await rotate(ground, apiKey.id, { overlapSeconds: 0 });
    expect(await ended.promise).toBe('expired');
    stop();
  });
});

describeOnGround('The key that the operator chose', (on) => {
  // Each test has its own seed in one database, so it needs its own secrets.
  const secretOf = (name: string) => `${name}-${expect.getState().currentTestName?.replaceAll(/\W/g, '')}`.slice(0, 200);
  const lifeOf = async ({ seed }: Ground, secret: string) => (await authenticate(seed.domain, `Bearer ${secret}`))?.expiresAt ?? 'no end';

  test('stays valid for an hour when another is chosen, and has ended for good after that', async () => {
    const ground = on();
    const { seed } = ground;
    const [first, second] = [secretOf('first'), secretOf('second')];
    await acceptAdminKey(seed.domain, first);
    await acceptAdminKey(seed.domain, first);
    await acceptAdminKey(seed.domain, second);
    expect([await lifeOf(ground, first), await lifeOf(ground, second)]).toEqual([after(3_600), 'no end']);
    seed.clock.advance(3_600_000);
    expect(await authenticate(seed.domain, `Bearer ${first}`)).toBe(null);
    expect(await refusalOf(acceptAdminKey(seed.domain, first))).toMatchObject({
      issues: [{ message: expect.stringContaining('EXPIRED: choose another') }],
    });
    expect(await lifeOf(ground, second)).toBe('no end');
  });

  test('stays valid for good when it is chosen again within that hour', async () => {
    const ground = on();
    const { seed } = ground;
    const [first, second] = [secretOf('first'), secretOf('second')];
    for (const secret of [first, second, first]) await acceptAdminKey(seed.domain, secret);
    expect([await lifeOf(ground, first), await lifeOf(ground, second)]).toEqual(['no end', after(3_600)]);
  });

  test('keeps its expiry when a person rotated it, although it is still chosen (P15)', async () => {
    const ground = on();
    const { seed } = ground;
    const chosen = secretOf('chosen');
    await acceptAdminKey(seed.domain, chosen);
    const { keyId } = await seed.principalOf(chosen);
    await rotateApiKey(seed.domain, admin, { apiKeyId: keyId ?? '', overlapSeconds: 60 });
    await acceptAdminKey(seed.domain, chosen);
    expect(await lifeOf(ground, chosen)).toEqual(after(60));
  });
});
