import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FlagSet, parseFlags } from '../../src/cli/flags.ts';
import { takeOverrides } from '../../src/cli/overrides.ts';
import { readTarget, targetFlags } from '../../src/cli/settings.ts';
import { submit } from '../../src/cli/submit.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-cli-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('flags that submit does not know', () => {
  const take = (...argv: string[]) => takeOverrides(submit.flags, argv);

  test('override settings by path, as JSON where it parses and as text where not', () => {
    const open = take('job.yaml', '--param_3', '{"k":"v"}', '--custom.custom_param', '5', '--name', '--odd', '--note=a=b', '--verbose');
    expect(open.overrides).toEqual([
      { path: 'param_3', value: { k: 'v' } },
      { path: 'custom.custom_param', value: 5 },
      { path: 'note', value: 'a=b' },
      { path: 'verbose', value: true },
    ]);
    expect(open.argv).toEqual(['job.yaml', '--name', '--odd']);
  });

  test('take a negative number as their value, and leave what follows -- alone', () => {
    const open = take('-f', 'job.yaml', '--shift', '-5', '--follow', '--', 'python', 'train.py', '--epochs', '3');
    expect(open.overrides).toEqual([{ path: 'shift', value: -5 }]);
    expect(open.argv).toEqual(['-f', 'job.yaml', '--follow']);
    expect(open.commandLine).toEqual(['python', 'train.py', '--epochs', '3']);
  });

  test('are refused when they are no path', () => {
    expect(() => take('--a..b', '1')).toThrow('--a..b is no flag, and no path into settings either.');
  });
});

describe('a flag', () => {
  const flags: FlagSet = {
    count: { value: 'N', description: 'a number' },
    kind: { value: 'KIND', isRepeatable: true, description: 'a word' },
    label: { value: 'K=V', isRepeatable: true, description: 'pairs' },
    on: { description: 'a switch' },
  };

  test('is read as what it is', () => {
    const given = parseFlags(flags, [
      'x',
      '--count',
      '3',
      '--kind',
      'red,blue',
      '--kind=green',
      '--label',
      'a=b=c',
      '--label',
      'd',
      '--on',
    ]);
    expect(given.args).toEqual(['x']);
    expect(given.integer('count')).toBe(3);
    expect(given.choices('kind', ['RED', 'BLUE', 'GREEN'])).toEqual(['RED', 'BLUE', 'GREEN']);
    expect(given.pairs('label')).toEqual([
      { key: 'a', value: 'b=c' },
      { key: 'd', value: '' },
    ]);
    expect(given.has('on')).toBe(true);
    expect(parseFlags(flags, []).has('on')).toBe(false);
  });

  test.each([
    ['unknown', ['--nope'], /'--nope'/],
    ['without its value', ['--count'], /--count/],
    ['no number', ['--count', 'many'], '--count takes a number, not "many".'],
    ['not whole', ['--count', '1.5'], '--count takes a whole number, not 1.5.'],
    ['another word', ['--kind', 'pink'], '--kind takes RED, not "pink".'],
  ])('that is %s is refused by name', (_case, argv, message) => {
    expect(() => {
      const given = parseFlags(flags, argv);
      given.integer('count');
      given.choices('kind', ['RED']);
    }).toThrow(message);
  });
});

describe('the key', () => {
  const read = (argv: string[], env: Record<string, string>) =>
    readTarget(parseFlags(targetFlags, argv), { TRAINYARD_DATA_DIR: folder, ...env });

  test('is the local one only for a gateway on this machine, and only when none is given', async () => {
    await write('credentials.json', JSON.stringify({ url: 'http://127.0.0.1:4321', token: 'tyk_local' }));
    expect(await read([], {})).toEqual({ url: 'http://127.0.0.1:4321', token: 'tyk_local' });
    expect(await read(['--url', 'http://localhost:4000'], {})).toEqual({ url: 'http://localhost:4000', token: 'tyk_local' });
    expect(await read([], { TRAINYARD_TOKEN: 'tyk_env' })).toEqual({ url: 'http://127.0.0.1:4000', token: 'tyk_env' });
    expect(await read(['--token', 'tyk_flag'], { TRAINYARD_TOKEN: 'tyk_env' })).toMatchObject({ token: 'tyk_flag' });
    for (const url of ['https://train.example.com', 'http://127.0.0.1.example.com', 'http://localhost.example.com']) {
      expect(await read(['--url', url], {})).toEqual({ url, token: undefined });
    }
  });

  test('is none when credentials.json is not there, or names another machine', async () => {
    expect(await read([], {})).toEqual({ url: 'http://127.0.0.1:4000', token: undefined });
    await write('credentials.json', JSON.stringify({ url: 'https://evil.example.com', token: 'tyk_local' }));
    expect(await read([], {})).toEqual({ url: 'http://127.0.0.1:4000', token: undefined });
  });

  test('is asked for at an address', async () => {
    await expect(read(['--url', 'somewhere'], {})).rejects.toThrow('has to be like http://127.0.0.1:4000');
  });
});
