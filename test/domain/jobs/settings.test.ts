/**
 * The settings of a job: given, overridden, completed and checked with the application's schema.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Schemas } from '../../../src/domain/core/schemas.ts';
import { createApplication, updateApplication } from '../../../src/domain/jobs/applications.ts';
import { createJob } from '../../../src/domain/jobs/creation.ts';
import type { CreateJobInput } from '../../../src/domain/jobs/input.ts';
import { updateJob } from '../../../src/domain/jobs/update.ts';
import { describeOnEachStore } from '../../support/databases.ts';
import { admin, plantSeed, type Seed } from '../../support/seed.ts';

type Given = Pick<CreateJobInput, 'settings' | 'settingsOverrides'>;
type Schema = Record<string, unknown>;

describeOnEachStore('Settings', (open) => {
  let seed: Seed;
  let count = 0;
  beforeAll(async () => {
    seed = await plantSeed(await open());
  });

  const applicationOf = async (settingsSchema: Schema | null) =>
    (await createApplication(seed.domain, admin, { name: `Application ${count++}`, settingsSchema })).application;
  const jobOf = async (settingsSchema: Schema | null, given: Given) => {
    const { job } = await seed.createJob(1, { applicationId: (await applicationOf(settingsSchema)).id, ...given });
    return seed.readJob(job.id);
  };
  const refusalOf = (settingsSchema: Schema, given: Given) =>
    jobOf(settingsSchema, given).then(
      () => 'taken',
      (error: { issues?: readonly { path: readonly string[]; message: string }[] }) =>
        error.issues?.map(({ path, message }) => `${path.join('.')}: ${message}`),
    );

  /** A schema for the settings of a training job. */
  const training: Schema = {
    type: 'object',
    properties: {
      param_1: { type: 'number', default: -1 },
      param_2: { type: 'string', default: 'Param2 not provided' },
      param_3: { type: 'object' },
      custom: { type: 'object', properties: { custom_param: { type: 'integer', default: 0 } }, additionalProperties: false },
      optimizer: {
        type: 'object',
        properties: { name: { enum: ['adam', 'sgd'] }, rate: { type: 'number', default: 0.1, exclusiveMinimum: 0 } },
        required: ['name'],
      },
    },
  };

  describe('without a schema', () => {
    test('are as they were given, with overrides applied in order', async () => {
      const { job } = await seed.createJob(1, {
        settings: { rate: 0.1, layers: [1, 2], optimizer: { name: 'sgd', momentum: 0.9 } },
        settingsOverrides: [
          { path: 'optimizer.name', value: 'adam' },
          { path: 'rate.of.change', value: 5 },
          { path: 'rate.of', value: { decay: null } },
          { path: 'seed' },
        ],
      });
      const { settings, settingsSources, settingsWarnings } = await seed.readJob(job.id);
      expect(settings).toEqual({
        rate: { of: { decay: null } },
        layers: [1, 2],
        optimizer: { name: 'adam', momentum: 0.9 },
        seed: null,
      });
      expect(settingsSources).toEqual({
        'rate.of.decay': 'OVERRIDE',
        layers: 'GIVEN',
        'optimizer.name': 'OVERRIDE',
        'optimizer.momentum': 'GIVEN',
        seed: 'OVERRIDE',
      });
      expect(settingsWarnings).toEqual([]);
    });

    test.each([
      ['a path with an empty name', { settingsOverrides: [{ path: 'a..b', value: 1 }] }, 'settingsOverrides.0.path'],
      ['a path to a prototype', { settingsOverrides: [{ path: 'a.__proto__.b', value: 1 }] }, 'settingsOverrides.0.path'],
      ['a path deeper than JSON may be', { settingsOverrides: [{ path: Array(40).fill('a').join('.') }] }, 'settingsOverrides.0.path'],
      ['a value too large', { settingsOverrides: [{ path: 'a', value: 'x'.repeat(300_000) }] }, 'settingsOverrides.0.value'],
      ['settings too deep', { settings: JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`) }, 'settings'],
    ])('are refused with %s', async (_, given, path) => {
      await expect(seed.createJob(1, given)).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: path.split('.') }] });
    });

    test('whose dot paths are too long together are refused', async () => {
      const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`leaf${i}`, i]));
      const settings = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(100)).reduce<Schema>((inner, key) => ({ [key]: inner }), many);
      await expect(seed.createJob(1, { settings })).rejects.toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['settings'] }] });
    });
  });

  describe('with a schema', () => {
    test('are completed with its defaults, and each has a source', async () => {
      const { settings, settingsSources } = await jobOf(training, {
        settings: { param_1: 1, optimizer: { name: 'adam' } },
        settingsOverrides: [
          { path: 'param_3', value: { k: 'v' } },
          { path: 'optimizer.name', value: 'sgd' },
        ],
      });
      expect(settings).toEqual({
        param_1: 1,
        param_2: 'Param2 not provided',
        param_3: { k: 'v' },
        custom: { custom_param: 0 },
        optimizer: { name: 'sgd', rate: 0.1 },
      });
      expect(settingsSources).toEqual({
        param_1: 'GIVEN',
        param_2: 'DEFAULT',
        'param_3.k': 'OVERRIDE',
        'custom.custom_param': 'DEFAULT',
        'optimizer.name': 'OVERRIDE',
        'optimizer.rate': 'DEFAULT',
      });
    });

    test('lack an object that its defaults alone do not complete', async () => {
      const { settings } = await jobOf(training, {});
      expect(settings).toEqual({ param_1: -1, param_2: 'Param2 not provided', custom: { custom_param: 0 } });
    });

    test('keep a given null even if there is a default', async () => {
      const { settings } = await jobOf({ properties: { a: { default: 1 } } }, { settings: { a: null } });
      expect(settings).toEqual({ a: null });
    });

    test('that break it are refused, each with the path at which it was given', async () => {
      const given = {
        settings: { param_1: 'much', optimizer: { rate: 0 } },
        settingsOverrides: [
          { path: 'custom.custom_param', value: 1.5 },
          { path: 'optimizer.name', value: 'lion' },
        ],
      };
      expect(await refusalOf(training, given)).toEqual([
        'settings.param_1: must be number.',
        'settingsOverrides.0.value: must be integer.',
        'settingsOverrides.1.value: must be one of "adam", "sgd".',
        'settings.optimizer.rate: must be > 0.',
      ]);
      expect(await refusalOf(training, { settings: { optimizer: {} } })).toEqual(['settings.optimizer.name: is needed.']);
      expect(await refusalOf(training, { settingsOverrides: [{ path: 'optimizer', value: { rate: 1 } }] })).toEqual([
        'settingsOverrides.0.value.name: is needed.',
      ]);
    });

    test('with unknown keys are accepted, with a warning for each', async () => {
      const { settings, settingsWarnings } = await jobOf(training, {
        settings: { some_setting_i_need: { deep: 1 }, param_3: { anything: 1 }, custom: { custom_param: 1, other: 2 } },
        settingsOverrides: [{ path: 'optimizer', value: { name: 'adam', betas: [0.9] } }],
      });
      expect(settings).toMatchObject({ some_setting_i_need: { deep: 1 }, custom: { other: 2 } });
      expect(settingsWarnings.toSorted()).toEqual(['custom.other', 'optimizer.betas', 'some_setting_i_need']);
    });
  });

  describe('know a key', () => {
    const cases: Record<string, [Schema, Schema, string[]]> = {
      'of any alternative, whichever holds': [
        { anyOf: [{ properties: { a: { type: 'integer' } } }, { properties: { b: { properties: { c: {} } } } }] },
        { a: 1, b: { c: 1, d: 1 }, e: 1 },
        ['b.d', 'e'],
      ],
      'of what is referred to, also in a circle': [
        {
          $ref: '#/$defs/node',
          $defs: { node: { properties: { name: {}, child: { $ref: '#/$defs/node' } } } },
        },
        { name: 'a', child: { name: 'b', child: { nam: 'c' } } },
        ['child.child.nam'],
      ],
      'by an anchor': [{ $ref: '#it', $defs: { x: { $anchor: 'it', properties: { a: {} } } } }, { a: 1, b: 1 }, ['b']],
      'by a pattern': [{ patternProperties: { '^x-': {} }, properties: {} }, { 'x-1': 1, y: 1 }, ['y']],
      'where any is allowed and described': [
        { additionalProperties: { properties: { a: {} } } },
        { one: { a: 1 }, two: { b: 1 } },
        ['two.b'],
      ],
      'of the entries of lists': [
        { properties: { layers: { items: { properties: { size: {} } } }, pair: { prefixItems: [{}, { properties: { a: {} } }] } } },
        { layers: [{ size: 1 }, { sise: 2 }], pair: [{ z: 1 }, { z: 1 }] },
        ['layers.1.sise', 'pair.1.z'],
      ],
      'where nothing is said of any': [{ type: 'object' }, { a: { b: 1 } }, []],
      'of a draft-07 tuple': [
        { $schema: 'http://json-schema.org/draft-07/schema#', properties: { pair: { items: [{ properties: { a: {} } }] } } },
        { pair: [{ b: 1 }] },
        ['pair.0.b'],
      ],
    };
    test.each(Object.entries(cases))('%s', async (_, [schema, settings, unknown]) => {
      expect((await jobOf(schema, { settings })).settingsWarnings.toSorted()).toEqual(unknown.toSorted());
    });

    test('that closed alternatives do not name, and still refuse what fits none', async () => {
      const closed = (name: string) => ({
        properties: { kind: { const: name }, [name]: { type: 'integer' } },
        required: ['kind', name],
        additionalProperties: false,
      });
      const schema = { oneOf: [closed('a'), closed('b')] };
      expect((await jobOf(schema, { settings: { kind: 'a', a: 1, c: 1 } })).settingsWarnings).toEqual(['c']);
      expect(await refusalOf(schema, { settings: { kind: 'a', b: 1 } })).toEqual(['settings: must match exactly one schema in oneOf.']);
    });
  });

  describe('of hostile schemas', () => {
    test.each([
      ['a pattern that goes back and forth', { properties: { a: { pattern: '^(a+)+$' } } }, { a: `${'a'.repeat(64)}!` }],
      [
        'references that double at each step',
        {
          properties: { a: { $ref: '#/$defs/d0' } },
          $defs: Object.fromEntries(
            Array.from({ length: 40 }, (__, i) => [
              `d${i}`,
              i === 39 ? { type: 'integer' } : { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
            ]),
          ),
        },
        { a: 1 },
      ],
    ])('with %s are refused after a second of work', async (_, schema, settings) => {
      const start = performance.now();
      await expect(jobOf(schema, { settings })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      // A busy machine is slow. Without a limit, none would ever end.
      expect(performance.now() - start).toBeLessThan(25_000);
    });

    test('make no endless nesting of defaults', async () => {
      const schema = { $ref: '#/$defs/n', $defs: { n: { properties: { v: { default: 1 }, next: { $ref: '#/$defs/n' } } } } };
      const { settings } = await jobOf(schema, { settings: { next: {} } });
      expect(JSON.stringify(settings).length).toBeLessThan(100);
      expect(settings).toMatchObject({ v: 1, next: { v: 1 } });
    });

    test('leave the prototype of the settings alone', async () => {
      const schema = JSON.parse('{"properties": {"__proto__": {"default": {"polluted": 1}}, "constructor": {"default": 1}}}');
      const { settings } = await jobOf(schema, {});
      expect(settings).toEqual({});
      expect('polluted' in settings).toBe(false);
    });
  });

  test('that take long to be checked do not delay the creation of other jobs (P9)', async () => {
    const schema = { title: expect.getState().currentTestName, properties: { a: { pattern: '^(?=b?)(a+)+$' } } };
    const slow = jobOf(schema, { settings: { a: `${'a'.repeat(40)}!` } }).then(
      () => 'taken',
      () => 'refused',
    );
    expect(await Promise.race([slow, jobOf(training, { settings: {} }).then(() => 'another was made')])).toBe('another was made');
    expect(await slow).toBe('refused');
  });

  test('are checked against the schema that their application has when the job is created', async () => {
    const { application } = await createApplication(seed.domain, admin, {
      name: 'Changed',
      settingsSchema: { properties: { a: { default: 1 } } },
    });
    const change = (value: number) =>
      updateApplication(seed.domain, admin, { applicationId: application.id, settingsSchema: { properties: { a: { default: value } } } });
    let judged = 0;
    const schemas: Schemas = {
      judge: async (...asked) => {
        const outcome = await seed.domain.schemas.judge(...asked);
        judged += 1;
        if (judged === 1) await change(2);
        return outcome;
      },
    };
    const input = { projectId: seed.project.id, name: 'job', applicationId: application.id };
    const { job } = await createJob({ ...seed.domain, schemas }, admin, input);
    expect([job.settings, judged]).toEqual([{ a: 2 }, 2]);
  });

  test('that are changed are checked and completed again', async () => {
    const { id } = await jobOf(training, { settings: { param_1: 1 } });
    const { job } = await updateJob(seed.domain, admin, { jobId: id, settings: { param_2: 'two', other: 1 } });
    expect(await seed.readJob(id)).toEqual(job);
    expect(job).toMatchObject({
      settings: { param_1: -1, param_2: 'two', custom: { custom_param: 0 }, other: 1 },
      settingsWarnings: ['other'],
      settingsSources: { param_1: 'DEFAULT', param_2: 'GIVEN', 'custom.custom_param': 'DEFAULT', other: 'GIVEN' },
    });
    await expect(updateJob(seed.domain, admin, { jobId: id, settings: { param_2: 2 } })).rejects.toMatchObject({
      issues: [{ path: ['settings', 'param_2'], message: 'must be string.' }],
    });
    const again = await updateJob(seed.domain, admin, { jobId: id, settings: { param_2: 'two', other: 1 } });
    expect(again.job.updatedAt).toEqual(job.updatedAt);
  });
});
