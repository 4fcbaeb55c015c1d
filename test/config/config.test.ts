import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../src/config/config.ts';
import { describeConfig } from '../../src/config/help.ts';
import { type Setting, variableOf } from '../../src/config/setting.ts';
import { topics } from '../../src/config/settings.ts';
import { defaultDomainLimits } from '../../src/domain/core/limits.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';

const all = Object.values(topics).flatMap(({ settings }) => Object.values<Setting>(settings));
const serve = (env: Record<string, string> = {}, ...argv: string[]) => readConfig('serve', argv, env);

function complaintsOf(env: Record<string, string>, ...argv: string[]): string[] {
  try {
    serve(env, ...argv);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('The settings', () => {
  test('have the promised limits as defaults', () => {
    const config = serve();
    expect(config.limits).toEqual(DEFAULT_LIMITS);
    expect(config.work).toEqual(defaultDomainLimits);
    expect(config.network).toEqual({ host: '127.0.0.1', port: 4_000, origins: [], documents: null, adminKey: null });
  });

  test('have unique names, and valid defaults', () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const setting of all) expect(setting.read(setting.write(setting.byDefault)), setting.name).toEqual(setting.byDefault);
  });

  test('are read from the environment, and from flags, which win', () => {
    const env = { TRAINYARD_PORT: '1', TRAINYARD_HOST: '::1', TRAINYARD_BODY_SIZE: '2MB' };
    const { network, limits } = serve(env, '--port', '2');
    expect([network.port, network.host, limits.bodyBytes]).toEqual([2, '::1', 2_000_000]);
  });

  test('that apply to one start are flags without a value, and never read from the environment', () => {
    expect(serve({}, '--new-identity').store.newIdentity).toBe(true);
    expect(serve({ TRAINYARD_NEW_IDENTITY: 'on' }).store.newIdentity).toBe(false);
    expect(complaintsOf({}, '--new-identity=off').join()).toContain('--new-identity takes no value.');
    expect(describeConfig('serve', true)).not.toContain('TRAINYARD_NEW_IDENTITY');
  });

  test('take an empty variable as unset', () => {
    expect(serve({ TRAINYARD_PORT: '', TRAINYARD_ADMIN_KEY: '' }).network).toMatchObject({ port: 4_000, adminKey: null });
  });

  test.each([
    [{ TRAINYARD_DOCUMENTS: '' }, [], 'TRAINYARD_DOCUMENTS must be a file, not "".'],
    [{ TRAINYARD_ISOLATE: '' }, [], 'TRAINYARD_ISOLATE must be on or off, not "".'],
    [{ TRAINYARD_ISOLATE: 'on', TRAINYARD_ISOLATE_USER: '' }, [], 'TRAINYARD_ISOLATE_USER must be the name of a user, not "".'],
    [{}, ['--documents', ''], '--documents must be a file, not "".'],
    [{}, ['--isolate', '--isolate-user='], '--isolate-user must be the name of a user, not "".'],
    [{}, ['--metrics-address='], '--metrics-address must be an address with a port, such as 127.0.0.1:9464, not "".'],
    [{}, ['--database-url='], '--database-url must be a URL that starts with postgres://.'],
    [{}, ['--admin-key-file', '/dev/null'], 'TRAINYARD_ADMIN_KEY must be 16 to 512 characters without spaces.'],
    [{ TRAINYARD_DATABASE_URL_FILE: '/dev/null' }, [], 'TRAINYARD_DATABASE_URL must be a URL that starts with postgres://.'],
  ])('that are given but empty, in %j and %j, are refused where none would be less safe', (env, argv, complaint) => {
    expect(() => readConfig('up', argv, env)).toThrow(new ConfigError(complaint));
  });

  test('for trusted documents are taken from the flag if the variable is empty, and other origins are refused', () => {
    const { network } = serve({ TRAINYARD_DOCUMENTS: '' }, '--documents', 'a.json', '--origins', '');
    expect([network.documents, network.origins]).toEqual(['a.json', []]);
  });

  test.each([
    ['64KiB', 65_536],
    ['64kb', 64_000],
    ['1.5 MB', 1_500_000],
    ['65536', 65_536],
  ])('read %s as %i bytes', (said, bytes) => {
    expect(serve({ TRAINYARD_BODY_SIZE: said }).limits.bodyBytes).toBe(bytes);
  });

  test.each([
    ['250ms', 250],
    ['1.5s', 1_500],
    ['2m', 120_000],
  ])('read %s as %i milliseconds', (said, ms) => {
    expect(serve({ TRAINYARD_STALL_TIME: said }).limits.stallMs).toBe(ms);
  });

  test('count a duration in the unit of its value', () => {
    const { work } = serve({ TRAINYARD_IDEMPOTENCY_TIME: '2d', TRAINYARD_LEASE_LONGEST: '2h' });
    expect([work.idempotencyHours, work.leaseSecondsAtMost]).toEqual([48, 7_200]);
  });

  test('accept the limits of their range and nothing beyond (P14)', () => {
    expect(serve({ TRAINYARD_DOCUMENT_DEPTH: '1' }).limits.depth).toBe(1);
    expect(serve({ TRAINYARD_DOCUMENT_DEPTH: '100' }).limits.depth).toBe(100);
    for (const said of ['0', '101', '-1', '1.5', '1e2', 'many', ' 5'])
      expect(complaintsOf({ TRAINYARD_DOCUMENT_DEPTH: said })).toEqual([
        `TRAINYARD_DOCUMENT_DEPTH must be a whole number from 1 to 100, not ${JSON.stringify(said)}.`,
      ]);
  });

  test('that are wrong are all reported at once, by the name used and with the value', () => {
    const env = { TRAINYARD_BODY_SIZE: '1KX', TRAINYARD_STALL_TIME: '30', TRAINYARD_AGGREGATOR: 'yes', TRAINYARD_ORIGINS: 'example.com' };
    expect(complaintsOf(env, '--port', '99999', '--lease-longest', '500ms')).toEqual([
      '--port must be a whole number from 0 to 65535, not "99999".',
      'TRAINYARD_ORIGINS must be origins, such as https://example.com, separated by commas, not "example.com".',
      'TRAINYARD_AGGREGATOR must be on or off, not "yes".',
      'TRAINYARD_BODY_SIZE must be an amount from 1KiB to 100MB, such as 64KiB, not "1KX".',
      'TRAINYARD_STALL_TIME must be a duration from 100ms to 1h, such as 30s or 10m, not "30".',
      '--lease-longest must be a duration from 1m to 7d, such as 30s or 10m, not "500ms".',
    ]);
  });

  test('that hold secrets are not repeated when they are wrong', () => {
    const said = complaintsOf({ TRAINYARD_ADMIN_KEY: 'hush', TRAINYARD_DATABASE_URL: 'mysql://user:hush@here/db' });
    expect(said).toHaveLength(2);
    expect(said.join()).not.toContain('hush');
  });

  test('that do not exist are refused as flags, as are secrets', () => {
    expect(complaintsOf({}, '--colour', 'red')[0]).toBe('There is no flag --colour.');
    expect(complaintsOf({}, '--admin-key', 'tyk_0123456789abcdef')[0]).toBe('There is no flag --admin-key. Did you mean --admin-key-file?');
    expect(complaintsOf({}, '--slots', '2')[0]).toBe('There is no flag --slots.');
    expect(readConfig('up', ['--slots', '2'], {}).local.slots).toBe(2);
  });

  test.each([
    [['--prot', '80'], 'There is no flag --prot. Did you mean --port?'],
    [['--datadir=x'], 'There is no flag --datadir. Did you mean --data-dir?'],
    [['--port'], '--port takes a value: --port N.'],
    [['--admin-key-file'], '--admin-key-file takes a value: --admin-key-file FILE.'],
  ])('mistyped as %j are refused, with a suggestion', (argv, complaint) => {
    expect(complaintsOf({}, ...argv)).toEqual([complaint, 'See trainyard serve --help.']);
  });

  test('for isolation belong to up, as flags or in the environment; a user without isolation, or a value, is refused (P16)', () => {
    const isolationOf = (env: Record<string, string>, ...argv: string[]) => {
      const { isolate, isolateUser } = readConfig('up', argv, env).local;
      return [isolate, isolateUser];
    };
    expect(isolationOf({})).toEqual([false, null]);
    expect(isolationOf({}, '--isolate', '--isolate-user', 'nobody')).toEqual([true, 'nobody']);
    expect(isolationOf({ TRAINYARD_ISOLATE: 'on', TRAINYARD_ISOLATE_USER: 'nobody' })).toEqual([true, 'nobody']);
    const cases: readonly (readonly [argv: readonly string[], says: string])[] = [
      [['--isolate-user', 'nobody'], '--isolate-user needs --isolate.'],
      [['--isolate=off'], '--isolate takes no value.\nSee trainyard up --help.'],
      [['--isolat'], 'There is no flag --isolat. Did you mean --isolate?\nSee trainyard up --help.'],
      [['--isolate', '--isolate-user', '-x y'], '--isolate-user takes a value: --isolate-user USER.\nSee trainyard up --help.'],
      [['--isolate', '--isolate-user=-x y'], '--isolate-user must be the name of a user, not "-x y".'],
    ];
    for (const [argv, says] of cases) expect(() => readConfig('up', argv, {})).toThrow(new ConfigError(says));
    expect(complaintsOf({}, '--isolate')[0]).toBe('There is no flag --isolate.');
    expect(describeConfig('up', false)).toMatch(/--isolate +TRAINYARD_ISOLATE /);
  });

  test('are listed in part by --help and in full by --help-all', () => {
    const shown = describeConfig('up', false);
    expect(shown.split('\n').length).toBeLessThan(25);
    for (const setting of all) {
      const name = setting.hasNoVariable ? `--${setting.name}` : variableOf(setting);
      expect(shown.includes(name), setting.name).toBe(setting.isCommon ?? false);
      expect(describeConfig('up', true)).toContain(name);
    }
    expect(describeConfig('serve', true)).not.toContain('TRAINYARD_SLOTS');
  });
});
