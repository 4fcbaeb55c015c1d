/**
 * The npm package: built, packed and unpacked, as its users get it. The programs are the examples
 * of its README.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { lines, runJob } from '../clients/scene.ts';
import { createSqliteDatabase, type TestDatabase } from '../support/databases.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(root, 'packages/client/README.md'), 'utf8');

/** The examples, by the name of their file. Each chooses whose JSX it has, as a project would. */
const examples = [...readme.matchAll(/^```tsx?\n(\/\/ (\S+\.tsx?)[\s\S]*?)^```/gm)].map(([, text = '', name = '']) => {
  const library = /\.(p?react)\./.exec(name)?.[1];
  return { name, text: library === undefined ? text : `/** @jsxImportSource ${library} */\n${text}` };
});

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  module: 'nodenext',
  target: 'esnext',
  lib: ['esnext', 'dom'],
  types: ['node'],
  jsx: 'react-jsx',
  skipLibCheck: false,
  noEmit: true,
};

describe('The package @trainyard/client', () => {
  let folder: string;
  let installed: string;
  const run = (command: string, ...args: readonly string[]) => execFileSync(command, args, { cwd: folder, encoding: 'utf8' });
  const manifest = (path: string) => JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'trainyard-client-')));
    installed = join(folder, 'node_modules/@trainyard/client');
    mkdirSync(installed, { recursive: true });
    run(process.execPath, join(root, 'scripts/build-client.ts'));
    run('npm', 'pack', '--silent', join(root, 'packages/client/dist'));
    const packed = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
    run('tar', '-xzf', packed, '--strip-components', '1', '--directory', installed);
    const peers = ['graphql', 'preact', 'react', '@types/react', 'csstype', '@types/node', 'undici-types'];
    for (const name of [...Object.keys(manifest(installed).dependencies), ...peers]) {
      const link = join(folder, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(root, 'node_modules', name), link);
    }
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    for (const { name, text } of examples) writeFileSync(join(folder, name), text);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What the compiler says of a project of these files. */
  const check = (...files: readonly string[]): string => {
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    try {
      return run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'));
    } catch (error) {
      return String(Object(error).stdout);
    }
  };

  test("has the gateway's version and license, and the two dependencies that it imports", () => {
    const { version, license, dependencies } = manifest(root);
    expect(manifest(installed)).toMatchObject({ name: '@trainyard/client', version, license });
    expect(manifest(installed).dependencies).toEqual({
      'eventsource-parser': `^${dependencies['eventsource-parser']}`,
      'graphql-ws': `^${dependencies['graphql-ws']}`,
    });
  });

  test('has its README and its license, no documents of the command line, and imports nothing of Node', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'client/index.js', 'client/index.d.ts']));
    expect(files.filter((name) => /generated|node\//.test(name))).toEqual([]);
    const scripts = files.filter((name) => name.endsWith('.js')).map((name) => readFileSync(join(installed, name), 'utf8'));
    expect(scripts.filter((text) => /from '(node:|ws')/.test(text))).toEqual([]);
  });

  test('has types by which the examples of its README compile, and a wrong use does not', () => {
    expect(examples.map(({ name }) => name)).toEqual(['follow.ts', 'state.ts', 'log-view.preact.tsx', 'job-status.react.tsx']);
    expect(check(...examples.map(({ name }) => name))).toBe('');
    const wrong = [
      "import { createClient, typed } from '@trainyard/client';",
      "const client = createClient({ url: '/' });",
      "const document = typed<{ job: { name: string } }, { id: string }>('…');",
      'export const none = client.request(document);',
      'export const other = client.request(document, { id: 1 });',
      "export const data: Promise<{ job: number }> = client.request(document, { id: '1' });",
    ];
    writeFileSync(join(folder, 'wrong.ts'), wrong.join('\n'));
    expect(check('wrong.ts').match(/wrong\.ts\(\d+/g)).toEqual(['wrong.ts(4', 'wrong.ts(5', 'wrong.ts(6']);
  });

  describe('in Node, against a gateway', () => {
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

    test('follows a log over a restart of the gateway: each line once, in order, and then the program ends (P7)', async () => {
      const job = await runJob(gateway);
      await job.write(...lines(10));
      const program = spawn(process.execPath, ['follow.ts', job.jobId], {
        cwd: folder,
        env: { ...process.env, TRAINYARD_URL: gateway.url, TRAINYARD_TOKEN: gateway.adminKey },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = new Promise((resolve) => program.once('close', resolve));
      let output = '';
      program.stdout.on('data', (part: Buffer) => {
        output += part.toString();
      });
      await vi.waitFor(() => expect(output).toContain('line 9\n'), { timeout: 30_000 });
      await gateway.restart();
      await job.write(...lines(10, 10));
      await vi.waitFor(() => expect(output).toContain('line 19\n'), { timeout: 60_000 });
      await job.complete();
      expect(await ended).toBe(0);
      expect(output.trim().split('\n')).toEqual(['A job is RUNNING', ...lines(20)]);
    });
  });
});
