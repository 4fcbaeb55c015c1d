import { expect, test } from 'vitest';
import { parseMemoryKill } from '../../../src/agent/container/kernel-log.ts';

const id = '5f452e6de5c757987fef632f69827aba4450d5e0ad43da129dc8df7a76fa95b6';

test('an out-of-memory kill in the kernel’s log names the process and its control group', () => {
  const record = `6,812,516802309,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=libpod-${id},mems_allowed=0,oom_memcg=/libpod_parent/libpod-${id},task_memcg=/libpod_parent/libpod-${id},task=tail,pid=8996,uid=0\n`;
  expect(parseMemoryKill(record)).toEqual({ pid: 8996, cgroup: `/libpod_parent/libpod-${id}` });
});

test.each(['6,1,1,-;usb 1-1: new device', '6,1,1,-;oom_reaper: reaped process 7 (tail)', ''])('%j tells of none', (record) => {
  expect(parseMemoryKill(record)).toBeNull();
});
