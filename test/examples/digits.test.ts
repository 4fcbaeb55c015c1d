import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const scripts = fileURLToPath(new URL('../../examples/digits/', import.meta.url));

/** Two short epochs over part of the digits: enough to pass, and quick. */
const quick = { epochs: 2, train_digits: 4000, seed: 7 };

interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one step's script without a gateway, with the files that an agent would provide; `folder` is
 * its working folder.
 */
async function runScript(script: string, folder: string, settings: Record<string, unknown>): Promise<Run> {
  const settingsFile = join(folder, 'settings.json');
  await writeFile(settingsFile, JSON.stringify({ settings, items: {} }));
  const env = {
    PATH: process.env.PATH,
    PYTHONDONTWRITEBYTECODE: '1',
    TRAINYARD_SETTINGS: settingsFile,
    TRAINYARD_METRICS: join(folder, 'metrics.jsonl'),
    TRAINYARD_FRAGMENTS: join(folder, 'fragments'),
  };
  return new Promise((resolve) => {
    const child = execFile('python3', [join(scripts, script)], { cwd: folder, env }, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

async function readMetrics(folder: string): Promise<Record<string, number>[]> {
  const lines = await readFile(join(folder, 'metrics.jsonl'), 'utf8');
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('the digits example, without a gateway', () => {
  let folder: string;
  const fragment = (name: string) => join(folder, 'fragments', name);
  const digest = async (name: string) =>
    createHash('sha256')
      .update(await readFile(fragment(name)))
      .digest('hex');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'digits-'));
    await mkdir(join(folder, 'fragments'));
    expect(await runScript('prepare.py', folder, quick)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await runScript('train.py', folder, quick)).toMatchObject({ exitCode: 0, stderr: '' });
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('prepare splits the 10,000 digits into one file to train on and one to test with', async () => {
    const record = 1 + 14 * 14;
    const train = await readFile(fragment('train.digits'));
    const test = await readFile(fragment('test.digits'));
    expect([train, test].map((file) => file.toString('latin1', 0, 4))).toEqual(['DGT1', 'DGT1']);
    expect([train, test].map((file) => (file.length - 8) / record)).toEqual([8000, 2000]);
    const labels = new Set(Array.from({ length: 2000 }, (_, digit) => test[8 + digit * record]));
    expect(labels).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  });

  test('train reports loss and accuracy of each epoch, and the loss falls', async () => {
    const epochs = (await readMetrics(folder)).filter((point) => 'loss' in point);
    expect(epochs.map((point) => point.iteration)).toEqual([1, 2]);
    const [first, second] = epochs;
    expect(second?.loss).toBeLessThan(first?.loss ?? 0);
    expect(second?.accuracy).toBeGreaterThan(first?.accuracy ?? 1);
  });

  test('the model is a safetensors file whose tensors fill it from end to end', async () => {
    const file = await readFile(fragment('model.safetensors'));
    const length = Number(file.readBigUInt64LE(0));
    const { __metadata__: metadata, ...tensors } = JSON.parse(file.toString('utf8', 8, 8 + length));
    expect(length % 8).toBe(0);
    expect(metadata).toMatchObject({ epochs: '2', seed: '7' });
    expect(tensors).toEqual({
      'hidden.weight': { dtype: 'F32', shape: [196, 32], data_offsets: [0, 25_088] },
      'hidden.bias': { dtype: 'F32', shape: [32], data_offsets: [25_088, 25_216] },
      'output.weight': { dtype: 'F32', shape: [32, 10], data_offsets: [25_216, 26_496] },
      'output.bias': { dtype: 'F32', shape: [10], data_offsets: [26_496, 26_536] },
    });
    expect(file.length).toBe(8 + length + 26_536);
    const values = Array.from({ length: 26_536 / 4 }, (_, index) => file.readFloatLE(8 + length + 4 * index));
    expect(values.every(Number.isFinite)).toBe(true);
  });

  test('evaluate reads more than 85 of 100 unseen digits correctly, and reports it in a metric and a file', async () => {
    const { exitCode, stdout } = await runScript('evaluate.py', folder, {});
    expect(exitCode).toBe(0);
    const evaluation = JSON.parse(await readFile(fragment('evaluation.json'), 'utf8'));
    expect(evaluation.test_accuracy).toBeGreaterThan(0.85);
    expect(evaluation.confusion.flat().reduce((sum: number, count: number) => sum + count)).toBe(2000);
    expect((await readMetrics(folder)).at(-1)).toEqual({ test_accuracy: evaluation.test_accuracy });
    expect(stdout).toContain('columns: as it was read');
  });

  test('evaluate ends with exit code 1 if the model is worse than required', async () => {
    expect(await runScript('evaluate.py', folder, { min_accuracy: 0.999 })).toMatchObject({ exitCode: 1, stderr: '' });
  });

  test('the same seed gives the same model, byte for byte, and another seed gives another', async () => {
    const digits = await digest('train.digits');
    expect(await runScript('prepare.py', folder, quick)).toMatchObject({ exitCode: 0 });
    expect(await digest('train.digits')).toBe(digits);
    const train = async (seed: number) => {
      expect(await runScript('train.py', folder, { epochs: 1, train_digits: 400, seed })).toMatchObject({ exitCode: 0 });
      return digest('model.safetensors');
    };
    const first = await train(7);
    expect(await train(7)).toBe(first);
    expect(await train(8)).not.toBe(first);
  });
});
