/** The audit trail, as administrators read it. */
import { beforeAll, expect, test } from 'vitest';
import { createApiKey, revokeApiKey } from '../../../src/domain/access/key-changes.ts';
import { createProject, updateProject } from '../../../src/domain/jobs/projects.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';
import { type Ask, askAs } from '../ask.ts';

interface Page {
  readonly auditLog: {
    readonly totalCount: number;
    readonly nodes: readonly { readonly id: string; readonly action: string; readonly subjectName: string }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  };
}

const QUERY = `query ($filter: AuditFilter, $first: Int, $after: String) {
  auditLog(filter: $filter, first: $first, after: $after) { totalCount nodes { id action subjectName } pageInfo { hasNextPage endCursor } }
}`;

describeOnEachStore('The audit trail', (open) => {
  let seed: Seed;
  let ask: Ask;
  let other: string;
  let keyId: string;
  beforeAll(async () => {
    seed = await plantSeed(await open());
    ask = askAs(seed.domain, admin);
    seed.clock.advance(1_000);
    other = (await createProject(seed.domain, { ...admin, name: 'user:eve' }, { name: 'Other' })).project.id;
    seed.clock.advance(1_000);
    await updateProject(seed.domain, admin, { projectId: seed.project.id, name: 'Digits 2' });
    keyId = (await createApiKey(seed.domain, admin, { name: 'k', kind: 'USER', role: 'VIEWER', projectId: seed.project.id })).apiKey.id;
    await revokeApiKey(seed.domain, admin, { apiKeyId: keyId });
  });
  const told = async (filter: object, as: Ask = ask) => {
    const { auditLog } = await as<Page>(QUERY, { filter });
    expect(auditLog.nodes).toHaveLength(auditLog.totalCount);
    return auditLog.nodes.map(({ action, subjectName }) => `${action} ${subjectName}`);
  };
  const everything = ['KEY_REVOKED k', 'KEY_CREATED k', 'PROJECT_CHANGED Digits 2', 'PROJECT_CREATED Other', 'PROJECT_CREATED Digits'];

  test('is listed in pages, newest first', async () => {
    expect(await told({})).toEqual(everything);
    const first = await ask<Page>(QUERY, { first: 2 });
    const second = await ask<Page>(QUERY, { first: 5, after: first.auditLog.pageInfo.endCursor });
    expect([first, second].flatMap(({ auditLog }) => auditLog.nodes.map(({ action }) => action))).toEqual(
      everything.map((each) => each.split(' ')[0]),
    );
    expect([first.auditLog.pageInfo.hasNextPage, second.auditLog.pageInfo.hasNextPage]).toEqual([true, false]);
  });

  test('is filtered by object, actor, action and time', async () => {
    expect(await told({ projectId: other })).toEqual(['PROJECT_CREATED Other']);
    expect(await told({ subjectId: keyId })).toEqual(['KEY_REVOKED k', 'KEY_CREATED k']);
    expect(await told({ subjectTypes: ['PROJECT'], actions: ['PROJECT_CHANGED', 'KEY_CREATED'] })).toEqual(['PROJECT_CHANGED Digits 2']);
    expect(await told({ actor: 'user:eve' })).toEqual(['PROJECT_CREATED Other']);
    expect(await told({ since: '2026-01-01T00:00:01Z', until: '2026-01-01T00:00:02Z' })).toEqual(['PROJECT_CREATED Other']);
    expect([await told({ actions: [] }), await told({ actor: '\u0000' }), await told({ subjectId: 'nothing' })]).toEqual([[], [], []]);
  });

  test('shows an administrator of one project the actions on that project, and shows other keys nothing (P15)', async () => {
    const own = askAs(seed.domain, { ...admin, projectId: seed.project.id });
    expect(await told({}, own)).toEqual(everything.filter((each) => each !== 'PROJECT_CREATED Other'));
    expect([await told({ projectId: other }, own), await told({ subjectId: other }, own)]).toEqual([[], []]);
    const [entry] = (await ask<Page>(QUERY, { filter: { projectId: other } })).auditLog.nodes;
    const byId = 'query ($id: ID!) { node(id: $id) { id } }';
    expect([await ask(byId, { id: entry?.id }), await own(byId, { id: entry?.id })]).toEqual([{ node: { id: entry?.id } }, { node: null }]);
    const editor = askAs(seed.domain, { ...admin, role: 'EDITOR' });
    expect(await editor(byId, { id: entry?.id })).toEqual({ node: null });
    await expect(editor(QUERY)).rejects.toThrow('FORBIDDEN: This key may not read the audit trail.');
  });
});
