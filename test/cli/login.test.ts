/** `trainyard login` and `logout`, and which key a command sends to which gateway. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTarget, targetFlags } from '../../src/cli/commands/settings.ts';
import { parseFlags } from '../../src/cli/input/flags.ts';
import { bundlePath } from '../support/bundle.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { runCommand, runHere } from './processes.ts';

let database: TestDatabase;
let gateway: Gateway;
beforeAll(async () => {
  database = await createSqliteDatabase();
  gateway = await startGateway({ database });
});
afterAll(async () => {
  await gateway?.stop();
  await database?.remove();
});

const fileIn = (config: string) => join(config, 'trainyard', 'credentials.json');

describe('trainyard login', () => {
  test('keeps the key of a link for this user alone, and commands find it from any folder', async () => {
    const config = createFolder('config');
    const env = { XDG_CONFIG_HOME: config };
    const { code, stdout, stderr } = await runHere(['login', `${gateway.url}/#key=${gateway.adminKey}`], env);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`Signed in to ${gateway.url} as user:operator, ADMIN.`);
    expect(stdout).not.toContain(gateway.adminKey);
    expect(JSON.parse(readFileSync(fileIn(config), 'utf8'))).toEqual({
      default: gateway.url,
      gateways: { [gateway.url]: { token: gateway.adminKey } },
    });
    expect([statSync(fileIn(config)).mode & 0o777, statSync(join(config, 'trainyard')).mode & 0o777]).toEqual([0o600, 0o700]);
    const listed = await runCommand(createFolder('elsewhere'), ['projects', 'list'], { ...env, TRAINYARD_DATA_DIR: join(config, 'none') });
    expect(listed.code, listed.stderr).toBe(0);
  });

  test('reads the key from standard input, and keeps nothing that the gateway refuses', async () => {
    const config = createFolder('config');
    const login = async (input: string) => {
      const env = { ...process.env, XDG_CONFIG_HOME: config };
      const child = spawn(process.execPath, [bundlePath, 'login', gateway.url], { env, stdio: ['pipe', 'ignore', 'pipe'] });
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.stdin.end(input);
      const [code] = await once(child, 'close');
      return { code, stderr };
    };
    expect(await login('tyk_wrong\n')).toMatchObject({ code: 2, stderr: expect.stringContaining('UNAUTHENTICATED') });
    expect(await login('')).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no key') });
    expect(() => statSync(fileIn(config))).toThrow('ENOENT');
    expect(await login(`${gateway.adminKey}\n`)).toEqual({ code: 0, stderr: '' });
    expect(readFileSync(fileIn(config), 'utf8')).toContain(gateway.adminKey);
  });

  test('is undone by logout, for one gateway', async () => {
    const config = createFolder('config');
    const env = { XDG_CONFIG_HOME: config };
    mkdirSync(join(config, 'trainyard'));
    const gateways = { 'https://a.example': { token: 'a' }, 'https://b.example': { token: 'b' } };
    writeFileSync(fileIn(config), JSON.stringify({ default: 'https://b.example', gateways }));
    expect(await runHere(['logout'], env)).toMatchObject({ code: 0, stdout: 'The key for https://b.example is forgotten.\n' });
    expect(JSON.parse(readFileSync(fileIn(config), 'utf8'))).toEqual({ gateways: { 'https://a.example': { token: 'a' } } });
    expect(await runHere(['logout'], env)).toMatchObject({ code: 2, stderr: expect.stringContaining('https://a.example') });
    expect(await runHere(['logout', 'https://a.example/'], env)).toMatchObject({ code: 0 });
  });
});

describe('The key that a command sends', () => {
  const folder = createFolder('targets');
  const env = { XDG_CONFIG_HOME: folder, TRAINYARD_DATA_DIR: join(folder, 'data') };
  const target = async (args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const { url, token, projectId } = await readTarget(parseFlags(targetFlags, args), { ...env, ...more });
    return [url, token, projectId];
  };
  const local = { url: 'http://127.0.0.1:4000', token: 'local', projectId: 'proj_1' };
  beforeAll(() => {
    mkdirSync(join(folder, 'trainyard'));
    mkdirSync(join(folder, 'data'));
    const gateways = { 'https://a.example/': { token: 'a', projectId: 'proj_a' }, 'http://127.0.0.1:5000': { token: 'five' } };
    writeFileSync(fileIn(folder), JSON.stringify({ default: 'https://a.example', gateways }));
    writeFileSync(join(folder, 'data', 'credentials.json'), JSON.stringify(local));
  });

  test('is that of a flag, of the environment, of the gateway in this folder, or of the user, in this order', async () => {
    expect(await target(['--token', 'flag'], { TRAINYARD_TOKEN: 'env' })).toEqual([local.url, 'flag', undefined]);
    expect(await target([], { TRAINYARD_TOKEN: 'env' })).toEqual([local.url, 'env', undefined]);
    expect(await target([])).toEqual([local.url, 'local', 'proj_1']);
    expect(await target([], { TRAINYARD_DATA_DIR: join(folder, 'none') })).toEqual(['https://a.example', 'a', 'proj_a']);
  });

  test('is never that of another gateway', async () => {
    expect(await target(['--url', 'https://a.example/'])).toEqual(['https://a.example/', 'a', 'proj_a']);
    expect(await target(['--url', 'http://127.0.0.1:5000'])).toEqual(['http://127.0.0.1:5000', 'five', undefined]);
    expect(await target(['--url', 'https://evil.example'])).toEqual(['https://evil.example', undefined, undefined]);
    expect(await target(['--url', 'https://a.example.evil.example'])).toEqual(['https://a.example.evil.example', undefined, undefined]);
    expect(await target(['--url', 'http://a.example'])).toEqual(['http://a.example', undefined, undefined]);
  });
});
