/**
 * The Python package: its own tests (python/tests) with the Python of this machine against a real
 * gateway and agent, and the wheel that the gateway serves.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildWheel } from '../../scripts/python-wheel.ts';
import { fileOfPackage, version } from '../../src/installation.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { createFolder, removeFolder } from '../support/folders.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { hasPython, interpreters, pythonFolder, unlessPython } from './interpreters.ts';
import { runPython } from './running.ts';

const tests = `${pythonFolder}tests`;
const modules = readdirSync(tests)
  .filter((name) => /^test_.*\.py$/.test(name))
  .map((name) => name.replace('.py', ''));
/** Those that need no gateway: they are quick, so every version of Python runs them. */
const offline = ['test_protocol', 'test_outbox', 'test_tensors', 'test_settings'];

let database: TestDatabase;
let gateway: Gateway;
beforeAll(async () => {
  if (!hasPython) return;
  database = await createSqliteDatabase();
  gateway = await startGateway({
    database,
    command: 'up',
    // Small frames, so that a stream can be cut between many.
    flags: ['--slots', '3', '--frame-size', '8KB'],
  });
});
afterAll(async () => {
  // Its agent ends with it.
  await gateway?.kill('SIGTERM');
  await database?.remove();
});

describe.skipIf(!hasPython)(`The Python package${unlessPython}`, () => {
  test.each(modules)('passes its own %s', async (module) => {
    const env = { TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey };
    const { exitCode, output } = await runPython(['-W', 'error::SyntaxWarning', '-m', 'unittest', module], { cwd: tests, env });
    expect(exitCode, output).toBe(0);
  });

  test.each(interpreters)('passes the tests without a gateway on Python $version', async ({ command, env }) => {
    const { exitCode, output } = await runPython(['-m', 'unittest', ...offline], { command, cwd: tests, env });
    expect(exitCode, output).toBe(0);
  });

  test.each(interpreters)('runs a job and follows it, blocking and with asyncio, on Python $version', async ({ command, env }) => {
    const { exitCode, output } = await runPython(['-W', 'error', '-c', TOUR], {
      command,
      env: { ...env, TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey },
    });
    expect(exitCode, output).toBe(0);
    expect(output).toBe('SUCCEEDED hi\nSUCCEEDED hi\n');
  });
});

const TOUR = `
import asyncio
import trainyard as ty

job = ty.Client().project("default").submit("echo hi")
log = "".join(piece.text for piece in job.log())
print(job.wait().status, log, end="")

async def main():
    async with ty.AsyncClient() as client:
        job = await (await client.project("default")).submit("echo hi")
        log = "".join([piece.text async for piece in job.log()])
        print((await job.wait()).status, log, end="")

asyncio.run(main())
`;

describe.skipIf(!hasPython)(`The wheel that a gateway serves${unlessPython}`, () => {
  const name = `trainyard-${version}-py3-none-any.whl`;

  test('is listed with its hash, for everybody', async () => {
    const page = await fetch(`${gateway.url}/python/`);
    expect(page.status).toBe(200);
    expect(await page.text()).toMatch(new RegExp(`<a href="${name}#sha256=[0-9a-f]{64}">`));
    const wheel = await fetch(`${gateway.url}/python/${name}`);
    expect([wheel.status, wheel.headers.get('content-type')]).toEqual([200, 'application/octet-stream']);
    expect((await fetch(`${gateway.url}/python`)).url).toBe(`${gateway.url}/python/`);
    expect((await fetch(`${gateway.url}/python/other.whl`)).status).toBe(404);
    expect((await fetch(`${gateway.url}/python/`, { method: 'POST' })).status).toBe(405);
  });

  test('has the same bytes each time it is built', async () => {
    const read = async () => Buffer.from(await (await fetch(`${gateway.url}/python/${name}`)).arrayBuffer());
    buildWheel();
    expect(readFileSync(fileOfPackage(`dist/python/${name}`)).equals(await read())).toBe(true);
  });

  test('installs into an empty environment with nothing else, and runs a job', async () => {
    const folder = createFolder('venv');
    try {
      expect(await runPython(['-m', 'venv', folder])).toMatchObject({ exitCode: 0 });
      const python = join(folder, 'bin', 'python');
      const env = { PYTHONPATH: '', PIP_NO_INDEX: '1', PIP_CONFIG_FILE: '/dev/null', PIP_NO_CACHE_DIR: '1' };
      const installed = await runPython(['-m', 'pip', 'install', `${gateway.url}/python/${name}`], { command: python, env });
      expect(installed.exitCode, installed.output).toBe(0);
      expect(installed.output).toContain(`Successfully installed trainyard-${version}`);
      const files = await runPython(['-m', 'pip', 'show', '--files', 'trainyard'], { command: python, env });
      expect(files.output).toContain('trainyard/py.typed');
      const tour = await runPython(['-c', TOUR], {
        command: python,
        env: { ...env, TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey },
      });
      expect(tour).toEqual({ exitCode: 0, output: 'SUCCEEDED hi\nSUCCEEDED hi\n' });
    } finally {
      removeFolder(folder);
    }
  });
});

describe.skipIf(!hasPython)(`A gateway with trusted documents${unlessPython}`, () => {
  test('executes what the Python package asks, and nothing that its user writes', async () => {
    const database = await createSqliteDatabase();
    const file = join(database.folder, 'documents.json');
    writeFileSync(file, JSON.stringify({ a: '{ viewer { kind } }' }));
    const trusting = await startGateway({ database, flags: ['--documents', file] });
    const folder = createFolder('python-trusted');
    try {
      const env = { TRAINYARD_URL: trusting.url, TRAINYARD_TOKEN: trusting.adminKey, TRAINYARD_STATE_DIR: folder };
      const ran = await runPython(['-c', TRUSTED], { env });
      expect(ran).toEqual({ exitCode: 0, output: 'SUCCEEDED [1.0] DOCUMENT_NOT_TRUSTED\n' });
    } finally {
      await trusting.stop();
      await database.remove();
      removeFolder(folder);
    }
  });
});

const TRUSTED = `
import trainyard as ty

with ty.init(project="trusted", name="run") as run:
    run.log({"loss": 1.0})
values = [point.value for point in run.job.metrics("loss")]
try:
    ty.Client().execute("{ viewer { name } }")
except ty.RequestRefused as refusal:
    print(run.job.status, values, refusal.code)
`;
