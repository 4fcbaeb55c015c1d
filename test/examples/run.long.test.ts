import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const script = fileURLToPath(new URL('../../examples/digits/run.ts', import.meta.url));

/**
 * `npm run example` without a running gateway, so that it starts one, with its own folder for
 * temporary files and little to learn.
 */
async function runExample(folder: string, ...settings: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const env = { PATH: process.env.PATH, TMPDIR: folder, TRAINYARD_DATA_DIR: join(folder, 'no-gateway') };
  const quick = ['--epochs', '2', '--train_digits', '4000'];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...quick, ...settings], { env }, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'example-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('the example trains on its own gateway, shows its log and curves, keeps its files and leaves nothing else behind', async () => {
  const folder = await makeFolder();
  const { exitCode, stdout, stderr } = await runExample(folder);
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(/^epoch 2\/2: loss /m);
  expect(stdout).toMatch(/^<Curve 'held_out_accuracy' .* 2 points>$/m);
  for (const filename of ['train.digits', 'test.digits', 'model.safetensors', 'output.json']) {
    expect(stdout).toMatch(new RegExp(`^${filename} +(DATA|MODEL|OUTPUT) .*[0-9a-f]{64}$`, 'm'));
  }
  expect(stdout).toMatch(/^job SUCCEEDED/m);
  expect(await readdir(folder)).toEqual([]);
});

test('the example ends with exit code 1 if its model is not good enough', async () => {
  const { exitCode, stdout } = await runExample(await makeFolder(), '--min_accuracy', '0.999');
  expect({ exitCode }, stdout).toEqual({ exitCode: 1 });
  expect(stdout).toMatch(/^job FAILED: .*exit code 1/m);
});
