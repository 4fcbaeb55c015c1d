/** Job files: what is written arrives unchanged, and what cannot is refused by its line. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readJob, readJobFile } from '../../../src/cli/input/jobfile.ts';
import { parseSource } from '../../../src/cli/input/source.ts';

const read = async (text: string) => (await readJob(parseSource(text, 'job.yaml'))).input;

/** The message that refuses a file. */
async function refusal(text: string): Promise<string> {
  const error: unknown = await read(text).catch((error: unknown) => error);
  return error instanceof Error ? `${error.name}: ${error.message}` : 'It was taken.';
}

/** The environment that a file gives its job. */
async function envOf(lines: string): Promise<Record<string, string>> {
  const { container } = await read(`name: a\ncontainer:\n  env:\n${lines.replace(/^/gm, '    ')}\n`);
  return Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
}

describe('text in a job file stays text', () => {
  test.each([
    ['010', '010'],
    ['1.10', '1.10'],
    ['12345678901234567890', '12345678901234567890'],
    ['0x1F', '0x1F'],
    ['0o17', '0o17'],
    ['1e3', '1e3'],
    ['+5', '+5'],
    ['-0', '-0'],
    ['.nan', '.nan'],
    ['-.inf', '-.inf'],
    ['1_000', '1_000'],
    ['12:30:45', '12:30:45'],
    ['2026-01-31', '2026-01-31'],
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00Z'],
    ['yes', 'yes'],
    ['off', 'off'],
    ['True', 'True'],
    ['null', 'null'],
    ['~', '~'],
    ['', ''],
    ['"007"', '007'],
    ["'it''s'", "it's"],
    ['"a\\tb\\u0000"', 'a\tb\0'],
    ['a\tb', 'a\tb'],
    ['!!str 010', '010'],
    ['!!int 010', '010'],
    ['=', '='],
    ['<<', '<<'],
    ['Größe 図 👍🏽', 'Größe 図 👍🏽'],
    ['|\n  one\n  two', 'one\ntwo\n'],
    ['>-\n  one\n  two', 'one two'],
  ])('as the value %j', async (written, meant) => {
    expect(await envOf(`A: ${written}`)).toEqual({ A: meant });
    expect(await envOf(`- name: A\n  value: ${written.replaceAll('\n', '\n  ')}`)).toEqual({ A: meant });
  });

  test('as a key, a label, an item, an id and a name', async () => {
    const file = `name: 007
datasetId: 1.0
labels: {007: 010, ~: 1.10, true: no, 0x1F: "0x1F"}
items: {epochs: 010, rate: 1.10, tags: [x, 1], nested: {a: 1.10}}
steps: [{name: 1e3, requiredLabels: {gpu: 0100}, pinnedDeviceId: 12345678901234567890}]
`;
    expect(await read(file)).toEqual({
      name: '007',
      datasetId: '1.0',
      labels: [
        { key: '007', value: '010' },
        { key: '~', value: '1.10' },
        { key: 'true', value: 'no' },
        { key: '0x1F', value: '0x1F' },
      ],
      items: [
        { name: 'epochs', value: '010' },
        { name: 'rate', value: '1.10' },
        { name: 'tags', value: '["x",1]' },
        { name: 'nested', value: '{"a":1.1}' },
      ],
      steps: [{ name: '1e3', requiredLabels: [{ key: 'gpu', value: '0100' }], pinnedDeviceId: '12345678901234567890' }],
    });
  });

  test('in every text style of YAML', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
        const { container } = await read(stringify({ name: 'a', container: { env: { A: text } } }));
        expect(container?.env).toEqual([{ name: 'A', value: text }]);
      }),
      { numRuns: 200 },
    );
  });

  test('with a byte order mark and with Windows line breaks', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'trainyard-cli-'));
    try {
      const path = join(folder, 'job.yaml');
      await writeFile(path, '\ufeffname: a\r\ncontainer:\r\n  command: |\r\n    one\r\n    two\r\n  env: {A: 010}\r\n');
      expect((await readJobFile(path)).input).toEqual({
        name: 'a',
        container: { command: 'one\ntwo\n', env: [{ name: 'A', value: '010' }] },
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('numbers and settings in a job file', () => {
  test('are read as JSON', async () => {
    const file = `name: a
priority: 7
runTimeoutSeconds: 1.5
isPreemptible: true
settings: {lr: 1e-3, n: 0x1F, version: "1.10", date: 2026-01-31, on: yes, off: false, nothing: ~, list: [1, {a: null}], 1: x, <<: {merged: 1}}
`;
    expect(await read(file)).toEqual({
      name: 'a',
      priority: 7,
      runTimeoutSeconds: 1.5,
      isPreemptible: true,
      settings: {
        lr: 0.001,
        n: 31,
        version: '1.10',
        date: '2026-01-31',
        on: 'yes',
        off: false,
        nothing: null,
        list: [1, { a: null }],
        1: 'x',
        merged: 1,
      },
    });
  });

  test('keep a key that is dangerous to an object', async () => {
    expect(JSON.stringify((await read('name: a\nsettings: {__proto__: {x: 1}}')).settings)).toBe('{"__proto__":{"x":1}}');
  });

  test.each([
    ['a number that is none', 'settings: {x: .nan}', '2:15: settings: .nan is not a number in JSON'],
    ['infinity', 'settings: {x: 1e999}', '2:15: settings: 1e999 is not a number in JSON'],
    [
      'more digits than a number keeps',
      'settings: {x: 12345678901234567890}',
      '2:15: settings: 12345678901234567890 would become 12345678901234567000',
    ],
    ['a leading zero', 'settings: {x: 010}', '2:15: settings: 010 could be decimal or octal'],
    ['less than a number keeps', 'settings: {x: 1e-999}', '2:15: settings: 1e-999 is too small to differ from 0'],
    ['text for a number', 'priority: "7"', '2:11: priority: takes a whole number, not "7".'],
    ['a word for a number', 'priority: high', '2:11: priority: takes a whole number, not high.'],
    ['half a number', 'priority: 1.5', '2:11: priority: takes a whole number, not 1.5.'],
    ['a leading zero in a number', 'priority: 010', '2:11: priority: 010 could be decimal or octal'],
    ['a word for a switch', 'isPreemptible: yes', '2:16: isPreemptible: takes true or false, not yes.'],
    ['a list for text', 'container: {command: [python, train.py]}', '2:22: container.command: takes text, not a list.'],
    ['text for settings', 'settings: 3', '2:11: settings: takes a mapping, not 3.'],
    ['an unknown word', 'type: TRAINNIG', '2:7: type: takes CONVERSION, TRAINING, VALIDATION, not TRAINNIG. Did you mean TRAINING?'],
    ['half a character', 'description: "\\ud83d"', '2:14: description: contains half a character'],
  ])('are refused by line where they are %s', async (_case, line, message) => {
    expect(await refusal(`name: a\n${line}\n`)).toContain(`UsageError: job.yaml:${message}`);
  });
});

describe('anchors', () => {
  const file = `name: a
x-env: &env {A: 010, B: .nan}
x-more: &more
  B: over
  C: 1.10
x-step: &step {maxAttempts: 3}
container: {env: {<<: [*more, *env], C: mine}}
labels: *env
steps:
  - {<<: *step, name: one}
  - {<<: *step, name: two, maxAttempts: 1}
`;

  test('of top-level x- keys are used as written, and own keys win over merged ones', async () => {
    expect(await read(file)).toEqual({
      name: 'a',
      container: {
        env: [
          { name: 'C', value: 'mine' },
          { name: 'B', value: 'over' },
          { name: 'A', value: '010' },
        ],
      },
      labels: [
        { key: 'A', value: '010' },
        { key: 'B', value: '.nan' },
      ],
      steps: [
        { name: 'one', maxAttempts: 3 },
        { name: 'two', maxAttempts: 1 },
      ],
    });
  });

  test.each([
    ['is not there', 'labels: *no', '2:9: there is no "&no" before this.'],
    ['comes later', 'labels: *env\nx-env: &env {A: 1}', '2:9: there is no "&env" before this.'],
    ['holds itself', 'settings: &s {a: *s}', 'nested deeper than 64 levels'],
    ['is nested deeper than a parser can follow', `settings: {a: ${'['.repeat(20_000)}`, 'nested too deeply to be read'],
    ['merges a word', 'labels: {<<: x}', '2:10: "<<" takes a mapping or a list of mappings.'],
  ])('are refused where one %s', async (_case, line, message) => {
    expect(await refusal(`name: a\n${line}\n`)).toContain(message);
  });

  test('that expand to billions of values are refused at once', async () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) =>
        `x-${i}: &l${i} [${
          i === 0
            ? 'x'
            : Array(10)
                .fill(`*l${i - 1}`)
                .join(', ')
        }]`,
    );
    expect(await refusal(`name: a\n${levels.join('\n')}\nsettings: {bomb: *l11}\n`)).toContain('expands to more than 200000 values');
  });
});

describe('a job file is refused by line and column', () => {
  test.each([
    ['a key that stands twice', 'name: a\nlabels: {a: 1, "a": 2}', '2:16: the key "a" appears twice in this mapping.'],
    ['a number as a key that stands twice', 'name: a\nlabels: {1: 1, "1": 2}', '2:16: the key "1" appears twice'],
    ['a key that is missing', 'name: a\nlabels: {: 1}', '2:10: a key is missing before the colon.'],
    ['a list as a key', 'name: a\nlabels: {? [a] : 1}', '2:12: a key must be text'],
    ['bytes', 'name: a\ncontainer: {env: {A: !!binary aGVsbG8=}}', '2:31: values with the tag !!binary are not supported'],
    ['a tag of another tool', 'name: a\ncontainer: {command: !Sub "x"}', '2:27: values with the tag !Sub are not supported'],
    ['a second document', 'name: a\n---\nname: b', '2:1: a second document begins here, but a file may have only one.'],
    ['an older YAML', '%YAML 1.1\n---\nname: a', '1:1: files are read as YAML 1.2, not YAML 1.1.'],
    ['a tab that indents', 'name: a\ncontainer:\n\tcommand: x', '3:1: Tabs are not allowed as indentation.'],
    ['a bracket that is open', 'name: [a\nb: 2', ':2'],
    ['a NUL', 'name: a\ndescription: a\0b', '2:15: control character U+0000'],
    ['an escape sequence', 'name: "\u001b]0;x\u0007"', '1:8: control character U+001B'],
    ['a lone carriage return', 'name: a\rb', '1:8: control character U+000D'],
    ['a list', '- a\n- b', '1:1: a job must be a mapping of fields'],
    ['nothing', '# nothing here\n', '1:1: a job must be a mapping of fields'],
    ['an empty project', 'name: a\nproject: ""', '2:10: project: takes a name or an id.'],
    ['a name that is missing', 'priority: 1', '1:1: "name" is missing.'],
    ['what stands for a list', 'name: a\nsteps: one', '2:8: steps: takes a list, not one.'],
    [
      'two criteria in one',
      'name: a\nfederation: {numDevices: 2, terminationCriteria: [{maxRounds: 1, maxDurationSeconds: 2}]}',
      'takes one of',
    ],
  ])('for %s', async (_case, text, message) => {
    expect(await refusal(text)).toMatch(/^UsageError: job\.yaml:\d+:\d+: /);
    expect(await refusal(text)).toContain(message);
  });

  test.each([
    ['command: python train.py', '2:1: there is no field "command" here; it belongs in "container": write container: {command: …}.'],
    [
      'steps: [{name: a, command: x}]',
      '2:19: steps.0: there is no field "command" here; it belongs in "container": write container: {command: …}.',
    ],
    ['image: python', '2:1: there is no field "image" here; it belongs in "container"'],
    ['gpu: 1', '2:1: there is no field "gpu" here; it belongs in "container.resources"'],
    ['steps: [{name: a, priority: 3}]', '2:19: steps.0: there is no field "priority" here; it is a field of the top level.'],
    ['step: []', '2:1: there is no field "step". Did you mean "steps"?'],
    ['runTimoutSeconds: 3', '2:1: there is no field "runTimoutSeconds". Did you mean "runTimeoutSeconds"?'],
    ['container: {imge: a}', '2:13: container: there is no field "imge". Did you mean "image"?'],
    ['frobnicate: 1', '2:1: there is no field "frobnicate". Known are applicationId, code, container,'],
  ])('for the unknown field of %j, with where it belongs or what was meant', async (line, message) => {
    expect(await refusal(`name: a\n${line}\n`)).toContain(`job.yaml:${message}`);
  });

  test('for each wrong field at once', async () => {
    const lines = (await refusal('name: a\ntype: TRAIN\npriority: high\nsettings: 3\nsteps: [{nme: x}]\nschedule-timeout: 3\n')).split(
      '\n',
    );
    expect(lines.map((line) => /job\.yaml:(\d+)/.exec(line)?.[1])).toEqual(['2', '3', '4', '5', '5', '6']);
  });
});

describe('a file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trainyard-cli-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const write = async (content: string | Buffer): Promise<string> => {
    const path = join(folder, 'job.yaml');
    await writeFile(path, content);
    return path;
  };

  test('that is not UTF-8 is refused by the first wrong line', async () => {
    await expect(readJobFile(await write(Buffer.from('name: a\ndescription: Größe\n', 'latin1')))).rejects.toThrow(
      /job\.yaml:2:16: the file is not UTF-8; save it as UTF-8\.$/,
    );
    await expect(readJobFile(await write(Buffer.from('\ufeffname: a\n', 'utf16le')))).rejects.toThrow(/job\.yaml:1:1: .*but UTF-16/);
  });

  test('that is too large or endless is refused without reading all of it', async () => {
    await expect(readJobFile(await write('#'.repeat(5_000_000)))).rejects.toThrow(/is larger than 4194304 bytes/);
    await expect(readJobFile('/dev/zero')).rejects.toThrow(/is larger than 4194304 bytes/);
  });

  test('that does not exist or is a folder is refused with that reason', async () => {
    await expect(readJobFile(join(folder, 'none.yaml'))).rejects.toThrow(/none\.yaml cannot be read: ENOENT/);
    await expect(readJobFile(folder)).rejects.toThrow(/cannot be read: EISDIR/);
  });

  test('may be JSON, indented with tabs', async () => {
    const path = await write('{\n\t"name": "digits",\n\t"container": {"command": "echo", "env": {"A": "\\ud83d\\ude00"}}\n}\n');
    expect((await readJobFile(path)).input).toEqual({ name: 'digits', container: { command: 'echo', env: [{ name: 'A', value: '😀' }] } });
  });

  test('may name its project, its application and its experiment, and then needs no name of its own', async () => {
    const path = await write('project: 007\napplication: classifier\nexperiment: nightly\n');
    expect(await readJobFile(path)).toMatchObject({
      project: '007',
      application: 'classifier',
      experiment: 'nightly',
      input: { name: '' },
    });
  });

  test('knows the position of each of its values', async () => {
    const path = await write('name: a\nsettings: {}\nrunTimeoutSeconds: -1\n');
    expect((await readJobFile(path)).placeOf(['runTimeoutSeconds'])).toMatch(/job\.yaml:3:20: runTimeoutSeconds$/);
    expect((await readJobFile(path)).placeOf(['priority'])).toBeUndefined();
  });
});
