import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/**
 * A Node on this machine that is too old for Trainyard, if there is one: only that shows what the
 * launcher does on it.
 */
const oldNode = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .filter((path) => existsSync(path))
  .find((path) => Number(execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' }).split('.')[0]) < 26);

const program = `
process.on('SIGTERM', () => { console.log('terminated'); process.exit(7); });
console.log(process.versions.node.split('.')[0], JSON.stringify(process.argv.slice(2)));
if (process.argv[2] === 'wait') setInterval(() => {}, 1000);
else if (process.argv[2] === 'abort') process.kill(process.pid, 'SIGKILL');
else process.exitCode = 3;
`;

let top: string;
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'trainyard-launcher-'));
  for (const folder of ['bin', 'src']) await mkdir(join(top, folder));
  for (const file of ['trainyard.js', 'program.js']) await copyFile(new URL(`../../bin/${file}`, import.meta.url), join(top, 'bin', file));
  await writeFile(join(top, 'package.json'), '{"type": "module"}');
  await writeFile(join(top, 'src', 'main.ts'), program);
});
afterEach(() => rm(top, { recursive: true, force: true }));

async function bringNode(): Promise<void> {
  await mkdir(join(top, 'node_modules', 'node', 'bin'), { recursive: true });
  await symlink(process.execPath, join(top, 'node_modules', 'node', 'bin', 'node'));
}

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

function launch(
  node: string,
  args: string[],
  onOutput: (output: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(node, [join(top, 'bin', 'trainyard.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        onOutput(output, (signal) => child.kill(signal));
      });
    }
    child.on('close', (code, signal) => resolve({ code, signal, output }));
  });
}

describe('the launcher', () => {
  test('runs the program itself on a Node that is new enough', async () => {
    expect(await launch(process.execPath, ['jobs', '--json'])).toEqual({ code: 3, signal: null, output: '26 ["jobs","--json"]\n' });
  });

  describe.skipIf(oldNode === undefined)('on an old Node', () => {
    const old = oldNode ?? '';

    test('starts the Node that npm ci installed, and ends as it ends', async () => {
      await bringNode();
      expect(await launch(old, ['jobs', '--json'])).toEqual({ code: 3, signal: null, output: '26 ["jobs","--json"]\n' });
      expect(await launch(old, ['abort'])).toMatchObject({ code: null, signal: 'SIGKILL' });
    });

    test('passes signals on', async () => {
      await bringNode();
      const outcome = await launch(old, ['wait'], (output, kill) => {
        if (output.includes('["wait"]') && !output.includes('terminated')) kill('SIGTERM');
      });
      expect(outcome).toEqual({ code: 7, signal: null, output: '26 ["wait"]\nterminated\n' });
    });

    test('says in one line what is missing if no newer Node is installed', async () => {
      const outcome = await launch(old, ['jobs']);
      expect(outcome.code).toBe(1);
      expect(outcome.output).toMatch(/^trainyard: Node 26 or newer is needed, this is v\d+.*"npm ci".*\n$/);
    });
  });
});
