import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readTarget, targetFlags } from '../../src/cli/commands/settings.ts';
import { submit } from '../../src/cli/commands/submit.ts';
import { readSet, readSettingFlags } from '../../src/cli/input/declared.ts';
import { type FlagSet, parseFlags } from '../../src/cli/input/flags.ts';
import { takeSettingFlags } from '../../src/cli/input/overrides.ts';

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
  const take = (...argv: string[]) => takeSettingFlags(submit.flags, argv);

  test('are separated with their values, and words after -- are left alone', () => {
    const open = take(
      '-f',
      'job.yaml',
      '--param_3',
      '{"k":"v"}',
      '--shift',
      '-5',
      '--name',
      '--odd',
      '--note=a=b',
      '--verbose',
      '--',
      'x',
      '--y',
    );
    expect(open.settings).toEqual([
      { path: 'param_3', text: '{"k":"v"}' },
      { path: 'shift', text: '-5' },
      { path: 'note', text: 'a=b' },
      { path: 'verbose', text: undefined },
    ]);
    expect(open.argv).toEqual(['-f', 'job.yaml', '--name', '--odd']);
    expect(open.commandLine).toEqual(['x', '--y']);
  });

  const schema = {
    properties: {
      text: { type: 'string' },
      count: { type: 'integer' },
      rate: { type: 'number' },
      on: { type: 'boolean' },
      either: { type: ['string', 'null'] },
      mode: { enum: ['1', '2'] },
      words: { default: 'a' },
      any: {},
      open: { type: 'object' },
      custom: { $ref: '#/$defs/custom' },
      map: { type: 'object', additionalProperties: { type: 'string' } },
    },
    allOf: [{ properties: { also: { type: 'string' } } }],
    $defs: { custom: { properties: { custom_param: { type: 'integer' }, gpus: { type: 'integer' } } } },
  };
  const settings = { lr: 0.1, version: '1.10', nested: { depth: 2 } };
  const readFlag = (word: string, text?: string) =>
    readSettingFlags([{ path: word, text }], { schema, settings }, { ...submit.flags })[0]?.value;

  test.each([
    ['text', '5', '5'],
    ['text', '010', '010'],
    ['text', '{"k":"v"}', '{"k":"v"}'],
    ['text', 'null', 'null'],
    ['text', '', ''],
    ['count', '5', 5],
    ['count', 'many', 'many'],
    ['rate', '1e-3', 0.001],
    ['rate', '.5', 0.5],
    ['on', undefined, true],
    ['on', 'false', false],
    ['on', 'yes', 'yes'],
    ['either', '5', '5'],
    ['either', 'null', null],
    ['mode', '1', '1'],
    ['words', '5', '5'],
    ['any', '5', 5],
    ['any', '007', '007'],
    ['any', 'a b', 'a b'],
    ['open', '{"k":"v"}', { k: 'v' }],
    ['open.k', '5', 5],
    ['custom.custom_param', '5', 5],
    ['map.anything', '5', '5'],
    ['also', '5', '5'],
    ['lr', '0.2', 0.2],
    ['version', '1.10', '1.10'],
    ['nested.depth', '3', 3],
  ])('are settings if the job declares them: --%s %s', (word, text, value) => {
    expect(readFlag(word, text)).toEqual(value);
  });

  test.each([
    [
      'gpus',
      '1',
      'There is no flag --gpus, and this job declares no such setting. Did you mean --gpu? To set any setting, use --set gpus=1.',
    ],
    ['folow', undefined, 'Did you mean --follow? To set any setting, use --set folow=true.'],
    ['prority', '7', 'Did you mean --priority?'],
    ['custom.custom_parm', '7', 'Did you mean --custom.custom_param?'],
    ['nested.dept', '7', 'Did you mean --nested.depth?'],
    ['custom.other', '7', 'There is no flag --custom.other, and this job declares no such setting'],
    ['lr.x', '7', 'There is no flag --lr.x'],
    ['a..b', '1', 'There is no flag --a..b'],
    ['', '1', 'There is no flag --,'],
    ['__proto__', '1', 'There is no flag --__proto__'],
    ['constructor', '1', 'There is no flag --constructor'],
    ['rate', undefined, '--rate takes a value (number).'],
    ['any', '12345678901234567890', '--any:1:1: 12345678901234567890 would become 12345678901234567000'.replace(':1:1', '')],
  ])('are refused if it does not, or if their value would be changed: --%s %s', (word, text, message) => {
    expect(() => readFlag(word, text)).toThrow(message);
  });

  test('are refused when they are given twice', () => {
    const twice = { path: 'lr', text: '1' };
    expect(() => readSettingFlags([twice, twice], { schema, settings }, {})).toThrow('--lr is given twice.');
  });

  test('may be any setting with --set, read as the schema says', () => {
    const set = (key: string, value: string) => readSet([{ key, value }], { schema, settings });
    expect(set('text', '5')).toEqual([{ path: 'text', value: '5', flag: '--set text' }]);
    expect(set('new.one', '5')).toEqual([{ path: 'new.one', value: 5, flag: '--set new.one' }]);
    expect(() => set('a..b', '5')).toThrow('--set a..b is not a path: give names joined by dots.');
    expect(() => set('x', '{"a": 1, "a": 2}')).toThrow('the key "a" appears twice');
  });
});

describe('a flag', () => {
  const flags: FlagSet = {
    count: { value: 'N', description: 'a number' },
    kind: { value: 'KIND', isRepeatable: true, description: 'a word' },
    label: { value: 'K=V', isRepeatable: true, description: 'pairs' },
    on: { description: 'a switch' },
  };

  test('is read by its type', () => {
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
    ['unknown', ['--nope'], 'There is no flag --nope.'],
    ['nearly known', ['--cuont', '3'], 'There is no flag --cuont. Did you mean --count?'],
    ['unknown and short', ['-x'], 'There is no flag -x.'],
    ['without its value', ['--count'], '--count takes a value: --count N.'],
    ['followed by a flag', ['--count', '--on'], '--count takes a value: --count N.'],
    ['a switch with a value', ['--on=no'], '--on takes no value.'],
    ['no number', ['--count', 'many'], '--count takes a number, not "many".'],
    ['not whole', ['--count', '1.5'], '--count takes a whole number, not 1.5.'],
    ['another word', ['--kind', 'pink'], '--kind takes RED, not "pink".'],
    ['given twice', ['--count', '1', '--count', '2'], '--count is given twice.'],
    ['a pair without a name', ['--label', '=x'], '--label needs a name before the equals sign, not "=x".'],
    ['a pair without a value', ['--env', 'A'], '--env takes NAME=VALUE, not "A".'],
  ])('that is %s is refused by name', (_case, argv, message) => {
    expect(() => {
      const given = parseFlags({ ...flags, env: { value: 'NAME=VALUE', isRepeatable: true, description: 'pairs' } }, argv);
      given.integer('count');
      given.choices('kind', ['RED']);
      given.pairs('label');
      given.wholePairs('env');
    }).toThrow(message);
  });
});

describe('the key', () => {
  const read = (argv: string[], env: Record<string, string>) =>
    readTarget(parseFlags(targetFlags, argv), { TRAINYARD_DATA_DIR: folder, ...env });

  test('is the local one only for a gateway on this machine and if none is given', async () => {
    await write('credentials.json', JSON.stringify({ url: 'http://127.0.0.1:4321', token: 'tyk_local' }));
    expect(await read([], {})).toEqual({ url: 'http://127.0.0.1:4321', token: 'tyk_local' });
    expect(await read(['--url', 'http://localhost:4000'], {})).toEqual({ url: 'http://localhost:4000', token: 'tyk_local' });
    expect(await read([], { TRAINYARD_TOKEN: 'tyk_env' })).toEqual({ url: 'http://127.0.0.1:4000', token: 'tyk_env' });
    expect(await read(['--token', 'tyk_flag'], { TRAINYARD_TOKEN: 'tyk_env' })).toMatchObject({ token: 'tyk_flag' });
    for (const url of ['https://train.example.com', 'http://127.0.0.1.example.com', 'http://localhost.example.com']) {
      expect(await read(['--url', url], {})).toEqual({ url, token: undefined });
    }
  });

  test('has a default project only if it is the local one', async () => {
    await write('credentials.json', JSON.stringify({ url: 'http://127.0.0.1:4321', token: 'tyk_local', projectId: 'proj_1' }));
    expect(await read([], {})).toMatchObject({ token: 'tyk_local', projectId: 'proj_1' });
    expect((await read([], { TRAINYARD_TOKEN: 'tyk_env' })).projectId).toBeUndefined();
    expect((await read(['--url', 'https://train.example.com'], {})).projectId).toBeUndefined();
  });

  test('is missing if credentials.json does not exist or names another machine', async () => {
    expect(await read([], {})).toEqual({ url: 'http://127.0.0.1:4000', token: undefined });
    await write('credentials.json', JSON.stringify({ url: 'https://evil.example.com', token: 'tyk_local' }));
    expect(await read([], {})).toEqual({ url: 'http://127.0.0.1:4000', token: undefined });
  });

  test('needs a valid URL of the gateway', async () => {
    await expect(read(['--url', 'somewhere'], {})).rejects.toThrow('must look like http://127.0.0.1:4000');
  });
});
