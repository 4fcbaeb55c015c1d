/** The audit trail: written with each change, kept after its subject is deleted, never changed. */
import { expect, test } from 'vitest';
import { createApiKey, revokeApiKey, updateApiKey } from '../../../src/domain/access/key-changes.ts';
import { rotateApiKey } from '../../../src/domain/access/key-rotation.ts';
import { createDomain, type Domain } from '../../../src/domain/core/domain.ts';
import { createFragment, deleteFragment } from '../../../src/domain/files/fragments.ts';
import { createApplication, deleteApplication, updateApplication } from '../../../src/domain/jobs/applications.ts';
import { cancelJob } from '../../../src/domain/jobs/cancellation.ts';
import { createProject, deleteProject, updateProject } from '../../../src/domain/jobs/projects.ts';
import { deleteJob } from '../../../src/domain/jobs/update.ts';
import { deleteDevice, registerDevice, updateDevice } from '../../../src/domain/steps/devices.ts';
import type { AuditEntryRow } from '../../../src/store/schema/tables.ts';
import { describeOnGround, type Ground, refusalOf } from '../../support/ground.ts';
import { admin } from '../../support/seed.ts';

describeOnGround('The audit trail', (on) => {
  /** The entries that the work adds, oldest first. */
  const entriesOf = async ({ store }: Ground, work: () => Promise<unknown>): Promise<AuditEntryRow[]> => {
    const { db, t } = store.read;
    const readEntries = () => db.select().from(t.auditEntries).orderBy(t.auditEntries.id);
    const known = new Set((await readEntries()).map(({ id }) => id));
    await work();
    return (await readEntries()).filter(({ id }) => !known.has(id));
  };
  const told = (entries: readonly AuditEntryRow[]) =>
    entries.map(({ action, subjectType, subjectName, changes }) => [action, subjectType, subjectName, changes]);

  test('records keys that are created, changed, rotated and revoked (P15)', async () => {
    const ground = on();
    const { seed } = ground;
    const entries = await entriesOf(ground, async () => {
      const { apiKey } = await createApiKey(seed.domain, admin, { name: 'ci', kind: 'USER', role: 'EDITOR', projectId: seed.project.id });
      await updateApiKey(seed.domain, admin, { apiKeyId: apiKey.id, name: 'ci 2' });
      await updateApiKey(seed.domain, admin, { apiKeyId: apiKey.id, name: 'ci 2' });
      const rotated = await rotateApiKey(seed.domain, admin, { apiKeyId: apiKey.id, overlapSeconds: 60 });
      for (const apiKeyId of [rotated.apiKey.id, rotated.apiKey.id]) await revokeApiKey(seed.domain, admin, { apiKeyId });
    });
    const [first, , third] = entries;
    expect(told(entries)).toEqual([
      ['KEY_CREATED', 'API_KEY', 'ci', { kind: { to: 'USER' }, role: { to: 'EDITOR' } }],
      ['KEY_CHANGED', 'API_KEY', 'ci 2', { name: { from: 'ci', to: 'ci 2' } }],
      ['KEY_CREATED', 'API_KEY', 'ci 2', { kind: { to: 'USER' }, role: { to: 'EDITOR' }, rotatedFromId: { to: first?.subjectId } }],
      [
        'KEY_ROTATED',
        'API_KEY',
        'ci 2',
        { expiresAt: { from: null, to: '2026-01-01T00:01:00.000Z' }, replacedById: { from: null, to: third?.subjectId } },
      ],
      ['KEY_REVOKED', 'API_KEY', 'ci 2', {}],
    ]);
    expect(first).toMatchObject({ actor: 'user:admin', actorKeyId: null, projectId: seed.project.id, requestId: null });
  });

  test('records changes of devices, but not a registration that changes nothing', async () => {
    const ground = on();
    const { seed } = ground;
    const asked = { projectId: seed.project.id, name: 'box', slots: 2 };
    const entries = await entriesOf(ground, async () => {
      const { device } = await registerDevice(seed.domain, admin, asked);
      await registerDevice(seed.domain, admin, asked);
      await registerDevice(seed.domain, admin, { ...asked, slots: 3 });
      await updateDevice(seed.domain, admin, { deviceId: device.id, isDraining: true });
      await deleteDevice(seed.domain, admin, { deviceId: device.id });
    });
    expect(told(entries).map(([action, , , changes]) => [action, changes])).toEqual([
      ['DEVICE_REGISTERED', expect.objectContaining({ kind: { to: 'WORKER' }, slots: { to: 2 } })],
      ['KEY_CREATED', { kind: { to: 'DEVICE' }, deviceId: { to: entries[0]?.subjectId } }],
      ['DEVICE_CHANGED', { slots: { from: 2, to: 3 } }],
      ['DEVICE_CHANGED', { isDraining: { from: false, to: true } }],
      ['DEVICE_DELETED', {}],
    ]);
  });

  test('records changes of projects and applications, without values that may contain secrets', async () => {
    const ground = on();
    const { seed } = ground;
    const secret = 'hunter2';
    const container = { env: [{ name: 'PASSWORD', value: secret }] };
    const entries = await entriesOf(ground, async () => {
      const { project } = await createProject(seed.domain, admin, { name: 'P', idempotencyKey: seed.project.id });
      await createProject(seed.domain, admin, { name: 'P', idempotencyKey: seed.project.id });
      const pipeline = [{ name: 's', container }];
      await updateProject(seed.domain, admin, {
        projectId: project.id,
        name: 'Q',
        gitRepository: `https://me:${secret}@example.com/r`,
        pipeline,
      });
      await deleteProject(seed.domain, admin, { projectId: project.id });
      const { application } = await createApplication(seed.domain, admin, { name: project.id, container });
      await updateApplication(seed.domain, admin, { applicationId: application.id, description: secret });
      await deleteApplication(seed.domain, admin, { applicationId: application.id });
    });
    expect(told(entries).map(([action, , , changes]) => [action, changes])).toEqual([
      ['PROJECT_CREATED', { name: { to: 'P' } }],
      ['PROJECT_CHANGED', { name: { from: 'P', to: 'Q' }, gitRepository: {}, pipeline: {} }],
      ['PROJECT_DELETED', {}],
      ['APPLICATION_CREATED', { name: { to: entries[0]?.subjectId }, supportsContinualTraining: { to: false } }],
      ['APPLICATION_CHANGED', { description: {} }],
      ['APPLICATION_DELETED', {}],
    ]);
    expect(JSON.stringify(entries)).not.toContain(secret);
  });

  test('records jobs and files that are deleted, whose events are deleted with them', async () => {
    const ground = on();
    const { seed } = ground;
    const { job } = await seed.createJob(1, { name: 'gone' });
    const { fragment } = await createFragment(seed.domain, admin, { jobId: job.id, filename: 'a.txt', type: 'DATA', text: 'a' });
    const entries = await entriesOf(ground, async () => {
      await deleteFragment(seed.domain, admin, { fragmentId: fragment.id });
      await cancelJob(seed.domain, admin, { jobId: job.id, cancelTimeoutSeconds: 60 });
      await deleteJob(seed.domain, admin, { jobId: job.id });
    });
    expect(told(entries)).toEqual([
      ['FRAGMENT_DELETED', 'FRAGMENT', 'a.txt', { jobId: { from: job.id }, type: { from: 'DATA' }, sha256: { from: fragment.sha256 } }],
      ['JOB_DELETED', 'JOB', 'gone', { status: { from: 'CANCELLED' } }],
    ]);
  });

  test('names the key and the request, and records no refused request', async () => {
    const ground = on();
    const { seed, store, readAll } = ground;
    const { apiKey, secret } = await createApiKey(seed.domain, admin, { name: 'root', kind: 'USER', role: 'ADMIN' });
    const principal = await seed.principalOf(secret);
    const domain: Domain = createDomain({ store, files: seed.domain.files, clock: seed.clock, requestId: () => 'req-1' });
    const [entry] = await entriesOf(ground, () => createProject(domain, principal, { name: 'P' }));
    expect(entry).toMatchObject({ actor: 'user:root', actorKeyId: apiKey.id, requestId: 'req-1' });
    const before = (await readAll()).auditEntries;
    const viewer = { ...admin, role: 'VIEWER' } as const;
    expect(await refusalOf(createProject(domain, viewer, { name: 'P' }))).toMatchObject({ code: 'FORBIDDEN' });
    expect(await refusalOf(deleteProject(domain, principal, { projectId: 'proj_none' }))).toMatchObject({ code: 'NOT_FOUND' });
    expect((await readAll()).auditEntries).toEqual(before);
  });
});
