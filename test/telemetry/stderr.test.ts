/**
 * A slow or absent reader of the log blocks nothing. Tested on gateway processes whose stderr is
 * not read.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { bundle } from '../support/bundle.ts';
import { createSqliteDatabase } from '../support/databases.ts';
import { post } from './asking.ts';

const adminKey = 'tyk_for-tests-alone-0123456789abcdefghijklmnopq';
const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** A gateway that logs a lot, and whose stderr nobody has read yet. */
async function startTalkative(): Promise<{ child: ChildProcess; url: string }> {
  const { folder, remove } = await createSqliteDatabase();
  ending.push(remove);
  const flags = ['--port', '0', '--data-dir', folder, '--log-level', 'debug', '--key-rate', 'off'];
  const child = spawn(process.execPath, [bundle, 'serve', ...flags], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { PATH: process.env.PATH, TRAINYARD_ADMIN_KEY: adminKey },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  ending.push(() => child.kill('SIGKILL'));
  let said = '';
  for await (const part of child.stdout ?? []) {
    said += String(part);
    const url = /http:\/\/\S+:\d+/.exec(said)?.[0];
    if (url) return { child, url };
  }
  throw new Error(`The gateway did not start: ${said}`);
}

/** Many times the capacity of a pipe, with two lines a request. */
async function ask(url: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const answers = Array.from({ length: 50 }, () => post(url, adminKey, '{ viewer { name } }'));
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
  }
}

async function endOf(child: ChildProcess): Promise<unknown[]> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  return ended;
}

test('a gateway whose log nobody reads still answers, and ends on SIGTERM (P11)', async () => {
  const { child, url } = await startTalkative();
  await ask(url);
  expect(await endOf(child)).toEqual([0, null]);
});

test('a gateway whose stderr is closed still answers, counts the lost lines, and ends on SIGTERM', async () => {
  const { child, url } = await startTalkative();
  child.stderr?.destroy();
  await ask(url);
  const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } });
  expect(await metrics.text()).toMatch(/trainyard_log_lines_lost_total [1-9]/);
  expect(await endOf(child)).toEqual([0, null]);
});
