import { expect, test } from 'vitest';
import { rightsOf } from '../../src/server/plugins/shared-frames.ts';
import { admin } from '../support/seed.ts';

test('a frame is shared by principals with the same rights, and by no other', () => {
  const device = { ...admin, kind: 'DEVICE' as const, role: null, projectId: 'prj_1', deviceId: 'dev_1', keyId: 'key_1' };
  expect(rightsOf({ ...device, name: 'another name', keyId: 'key_2' })).toBe(rightsOf(device));
  const others = [
    { ...device, kind: 'JOB' as const },
    { ...device, role: 'VIEWER' as const },
    { ...device, projectId: null },
    { ...device, jobId: 'job_1' },
    { ...device, deviceId: 'dev_2' },
    { ...device, stepId: 'step_1' },
    { ...device, stepId: 'step_2' },
  ];
  expect(new Set([device, ...others].map(rightsOf)).size).toBe(1 + others.length);
});
