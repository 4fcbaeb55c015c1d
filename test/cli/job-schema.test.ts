/** The shipped JSON Schema of job files agrees with the command line. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readJob } from '../../src/cli/input/jobfile.ts';
import { parseSource } from '../../src/cli/input/source.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const validate = new Ajv({ allowUnionTypes: true }).compile(JSON.parse(read('docs/job.schema.json')));

const isTaken = (text: string) =>
  readJob(parseSource(text, 'job.yaml')).then(
    () => true,
    () => false,
  );

const example = /```yaml\n([\s\S]*?)```/.exec(read('docs/job-file.md'))?.[1] ?? '';

test.each([
  ['the example of its page', example],
  ['a command', 'name: a\ncontainer: {command: x}'],
  ['numbers and switches for text', 'name: 7\nlabels: {a: 1, b: true, c: ~}\ncontainer: {env: {A: 010, B: ~}}'],
  ['pairs as a list', 'name: a\nlabels: [{key: a, value: b}]\nitems: [{name: a, value: 1}]'],
  ['items that are JSON', 'name: a\nitems: {tags: [x], nested: {a: 1}}'],
  ['an entry of a mapping that is a mapping', 'name: a\nlabels: {a: {value: b}}'],
  ['an application without a name of its own', 'application: classifier'],
  ['what is its own', 'name: a\nx-any: [1, {a: b}]'],
  ['rounds', 'name: a\nfederation: {numDevices: 2, terminationCriteria: [{maxRounds: 1}]}'],
  ['fields that say nothing', 'name: a\ndescription: ~\nsteps:\npriority: 1'],
])('takes %s, as the command line does', async (_case, text) => {
  const isValid = validate(parse(text, { merge: true }));
  expect(validate.errors ?? []).toEqual([]);
  expect([isValid, await isTaken(text)]).toEqual([true, true]);
});

test.each([
  ['a command at the top', 'name: a\ncommand: x'],
  ['an unknown field', 'name: a\nstep: []'],
  ['no name', 'priority: 1'],
  ['a step without a name', 'name: a\nsteps: [{maxAttempts: 1}]'],
  ['a word for a number', 'name: a\npriority: high'],
  ['text for a switch', 'name: a\nisPreemptible: "true"'],
  ['an unknown word', 'name: a\ntype: TRAIN'],
  ['a list for text', 'name: a\ncontainer: {command: [a]}'],
  ['text for settings', 'name: a\nsettings: 3'],
  ['nothing for a number that is needed', 'name: a\npriority: ~'],
  ['two criteria in one', 'name: a\nfederation: {numDevices: 2, terminationCriteria: [{maxRounds: 1, maxDurationSeconds: 1}]}'],
])('refuses %s, as the command line does', async (_case, text) => {
  expect([validate(parse(text)), await isTaken(text)]).toEqual([false, false]);
});
