import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

/** A process that runs `stop` when it is asked to end, and says so on stdout. */
async function startProcess(stop: string): Promise<ChildProcess> {
  const url = new URL('../../src/server/stop.ts', import.meta.url);
  const script = `
    import { stopOnSignal } from ${JSON.stringify(url)};
    setInterval(() => {}, 1000);
    stopOnSignal(async (graceMs) => { console.log('stopping', graceMs); ${stop} }, (entry) => console.error(JSON.stringify(entry)));
    console.log('up');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child.stdout, 'data');
  return child;
}

test.each([
  ['ends with 0 when all was stopped', '', 0],
  ['ends with 1 when stopping failed', 'throw new Error("no");', 1],
])('a process asked to end %s', async (_name, stop, code) => {
  const child = await startProcess(stop);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([code, null]);
});

test('a process asked twice does not wait', async () => {
  const child = await startProcess('await new Promise(() => {});');
  child.kill('SIGINT');
  await once(child.stdout ?? child, 'data');
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([1, null]);
});
