/** Known keys: fewer reads of keys, and never one that has ended. */
import { expect, test, vi } from 'vitest';
import { createApiKey, revokeApiKey, updateApiKey } from '../../../src/domain/access/key-changes.ts';
import { KnownKeys } from '../../../src/domain/access/known-keys.ts';
import type { Principal } from '../../../src/domain/access/principal.ts';
import { keyByHash, keyById } from '../../../src/store/queries/keys.ts';
import { anyTopic, type Topic } from '../../../src/store/store.ts';
import { describeOnGround, type Ground } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('A known key', (on) => {
  const make = async ({ seed }: Ground, input: Partial<Parameters<typeof createApiKey>[2]> = {}) => {
    const { apiKey, secret } = await createApiKey(seed.domain, admin, { name: 'k', kind: 'USER', role: 'EDITOR', ...input });
    return { id: apiKey.id, authorization: `Bearer ${secret}` };
  };
  const readsOf = ({ store }: Ground) => {
    const run = vi.spyOn(store.read, 'run');
    return () => run.mock.calls.filter(([{ name }]) => name === keyByHash.name).length;
  };
  /** Known keys that hear only what the test tells. */
  const hearing = ({ seed, store }: Ground) => {
    let tell = (_: ReadonlySet<Topic>) => {};
    const deaf = Object.create(store, {
      write: { value: (work: Parameters<typeof store.write>[0]) => store.write(work) },
      onCommit: {
        value: (listener: typeof tell) => {
          tell = listener;
        },
      },
    });
    return { keys: new KnownKeys({ ...seed.domain, store: deaf }), tell: (topic: Topic) => tell(new Set([topic])) };
  };

  test('is read once a second, however often it calls', async () => {
    const ground = on();
    const { authorization } = await make(ground);
    const keys = new KnownKeys(ground.seed.domain);
    const reads = readsOf(ground);
    const first = await keys.authenticate(authorization);
    for (let i = 0; i < 100; i++) expect(keys.authenticate(authorization)).toBe(first);
    expect(reads()).toBe(1);
    ground.seed.clock.advance(1_000);
    expect(await keys.authenticate(authorization)).toEqual(first);
    expect(reads()).toBe(2);
  });

  test('that is revoked, changed or has expired is so at the next call', async () => {
    const ground = on();
    const { seed } = ground;
    const keys = new KnownKeys(seed.domain);
    const [revoked, changed, expiring] = [await make(ground), await make(ground), await make(ground, { expiresInSeconds: 60 })];
    for (const { authorization } of [revoked, changed, expiring]) expect(await keys.authenticate(authorization)).not.toBeNull();
    await revokeApiKey(seed.domain, admin, { apiKeyId: revoked.id });
    await updateApiKey(seed.domain, admin, { apiKeyId: changed.id, name: 'new name' });
    expect(await keys.authenticate(revoked.authorization)).toBeNull();
    expect(await keys.authenticate(changed.authorization)).toMatchObject({ name: 'user:new name' });
    seed.clock.advance(59_500);
    expect(await keys.authenticate(expiring.authorization)).not.toBeNull();
    seed.clock.advance(500);
    expect(keys.authenticate(expiring.authorization)).toBeNull();
  });

  test('whose revocation is not announced ends within a second, as when the connection to other gateways is lost', async () => {
    const ground = on();
    const { keys } = hearing(ground);
    const { id, authorization } = await make(ground);
    expect(await keys.authenticate(authorization)).not.toBeNull();
    await revokeApiKey(ground.seed.domain, admin, { apiKeyId: id });
    ground.seed.clock.advance(1_000);
    expect(await keys.authenticate(authorization)).toBeNull();
  });

  test('is read again when anything may have changed', async () => {
    const ground = on();
    const { keys, tell } = hearing(ground);
    const { authorization } = await make(ground);
    const reads = readsOf(ground);
    for (let round = 1; round <= 3; round++) {
      await keys.authenticate(authorization);
      expect(reads()).toBe(round);
      tell(anyTopic);
    }
  });

  test('is not remembered as it was when it is revoked while it is read', async () => {
    const ground = on();
    const { seed, store } = ground;
    const { id, authorization } = await make(ground);
    const release = Promise.withResolvers<void>();
    const { read } = store;
    const slow = Object.create(store, {
      write: { value: (work: Parameters<typeof store.write>[0]) => store.write(work) },
      onCommit: { value: (listener: Parameters<typeof store.onCommit>[0]) => store.onCommit(listener) },
      read: {
        value: {
          run: async (...args: Parameters<typeof read.run>) => {
            const rows = await read.run(...args);
            await release.promise;
            return rows;
          },
        },
      },
    });
    const keys = new KnownKeys({ ...seed.domain, store: slow });
    const early = keys.authenticate(authorization);
    await read.run(keyById, { id }); // the read of the key is done, and not delivered
    await revokeApiKey(seed.domain, admin, { apiKeyId: id });
    release.resolve();
    await early;
    expect(await keys.authenticate(authorization)).toBeNull();
  });

  test('has its last use stored once a minute', async () => {
    const ground = on();
    const { seed, store } = ground;
    const { id, authorization } = await make(ground);
    const keys = new KnownKeys(seed.domain);
    const lastUse = async () => (await store.read.run(keyById, { id }))[0]?.lastUsedAt;
    const call = async (): Promise<Principal | null> => keys.authenticate(authorization);
    const began = seed.clock.now();
    for (let i = 0; i < 10; i++) await call();
    await expect.poll(lastUse).toEqual(began);
    seed.clock.advance(59_000);
    await call();
    seed.clock.advance(1_000);
    await call();
    await store.write(async () => {}); // an earlier write would be done by now
    expect(await lastUse()).toEqual(began);
    seed.clock.advance(2);
    await call();
    await expect.poll(lastUse).toEqual(seed.clock.now());
  });
});
