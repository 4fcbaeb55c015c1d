/** The name under which points, sockets and streams of a principal are counted. */
import { expect, test } from 'vitest';
import type { Principal } from '../../src/domain/access/principal.ts';
import { keyOf } from '../../src/server/connections/tally.ts';

const base = { role: null, projectId: null, jobId: null, stepId: null, attempt: null, expiresAt: null };
const device = (deviceId: string, keyId: string): Principal => ({ ...base, kind: 'DEVICE', name: 'device:gpu-1', deviceId, keyId });

test('all keys of a device count together, but not those of two devices with the same name (P14)', () => {
  expect(keyOf(device('dev_1', 'key_1'))).toBe(keyOf(device('dev_1', 'key_2')));
  expect(keyOf(device('dev_1', 'key_1'))).not.toBe(keyOf(device('dev_2', 'key_3')));
});

test('every other key counts by itself, and a lease by its job', () => {
  const user: Principal = { ...base, kind: 'USER', role: 'EDITOR', name: 'user:alice', deviceId: null, keyId: 'key_4' };
  expect(keyOf(user)).toBe('key_4');
  expect(keyOf({ ...user, keyId: 'key_5' })).toBe('key_5');
  expect(keyOf({ ...base, kind: 'JOB', name: 'job:job_1', jobId: 'job_1', stepId: 'step_1', deviceId: 'dev_1', keyId: null })).toBe(
    'job:job_1',
  );
});
