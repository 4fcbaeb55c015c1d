/** The key that a gateway creates for its operator if no other key could administer it. */
import { expect, test } from 'vitest';
import { operatorKey } from '../../../src/commands/credentials.ts';
import { createApiKey, updateApiKey } from '../../../src/domain/access/key-changes.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed } from '../../support/seed.ts';

describeOnEachStore('A gateway without a key for its operator', (open) => {
  test('makes one, and another when that has expired, even if a project has an ADMIN key', async () => {
    const { domain, project, clock, principalOf } = await plantSeed(await open());
    const first = await operatorKey(domain, null);
    expect(first).toMatchObject({ isNew: true });
    expect(await operatorKey(domain, null)).toBe(null);
    const { keyId } = await principalOf(first?.secret ?? '');
    await updateApiKey(domain, admin, { apiKeyId: keyId ?? '', expiresInSeconds: 60 });
    await createApiKey(domain, admin, { name: 'of a project', kind: 'USER', role: 'ADMIN', projectId: project.id });
    clock.advance(59_000);
    expect(await operatorKey(domain, null)).toBe(null);
    clock.advance(1_000);
    expect(await operatorKey(domain, null)).toMatchObject({ isNew: true });
  });
});
