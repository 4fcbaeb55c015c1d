/**
 * A write that was answered is complete after kill -9. One that was not may be there, completely
 * (P1).
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeOnEachStore } from '../support/databases.ts';

const writer = fileURLToPath(new URL('writer-process.ts', import.meta.url));

/**
 * Starts a writer and kills it while it writes, after this many answers. Resolves to the answered
 * writes.
 */
async function writeUntilKilled(place: string, prefix: string, answers: number): Promise<string[]> {
  const answered: string[] = [];
  const child = fork(writer, [place, prefix], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.on('message', (key) => {
    answered.push(String(key));
    if (answered.length === answers) child.kill('SIGKILL');
  });
  const signal = await new Promise((resolve) => child.once('close', (_code, by) => resolve(by)));
  expect(signal).toBe('SIGKILL');
  return answered;
}

describeOnEachStore('A store whose process is killed', (_open, create) => {
  test('keeps every write that was answered, and none partially, however often', async () => {
    const database = await create();
    const place = database.url ?? database.file;
    const answered: string[] = [];
    for (const [round, answers] of [40, 173, 311].entries()) answered.push(...(await writeUntilKilled(place, `round-${round}`, answers)));
    const { read } = await database.open();
    const notes = new Set((await read.db.select().from(read.t.meta)).map(({ key }) => key).filter((key) => key.startsWith('round-')));
    const streams = new Set(
      (await read.db.select().from(read.t.streams)).map(({ jobId }) => jobId).filter((id) => id.startsWith('round-')),
    );
    expect(answered.length).toBeGreaterThanOrEqual(40 + 173 + 311);
    expect(answered.filter((key) => !notes.has(key))).toEqual([]);
    expect([...streams].sort()).toEqual([...notes].sort());
  });
});
