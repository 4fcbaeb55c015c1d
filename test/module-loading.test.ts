import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const listModules = `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({
  load(url, context, nextLoad) {
    loaded.push(context.format + ' ' + url);
    return nextLoad(url, context);
  },
});
process.on('exit', () => console.log(loaded.filter((line) => line.includes('/node_modules/')).sort().join('\\n')));
`;

/** The package modules that this command loads, each with its format. */
function modulesOf(...command: string[]): string[] {
  const list = `data:text/javascript,${encodeURIComponent(listModules)}`;
  return spawnSync(process.execPath, ['--import', list, ...command], { cwd: root, encoding: 'utf8' })
    .stdout.trim()
    .split('\n');
}

test('the loaded modules of packages are the ones that Node would load by itself', () => {
  const store = 'src/store/open.ts';
  const modules = modulesOf('--import', './src/module-loading.ts', store);
  expect(modules.filter((line) => line.includes('/drizzle-orm/')).length).toBeGreaterThan(100);
  expect(modules).toEqual(modulesOf(store));
});

const ofGateways = /drizzle-orm|better-sqlite3|pothos/;

test('the bundle loads no module of a package but the two that it leaves out', () => {
  const loaded = modulesOf('dist/main.js', 'serve', '--data-dir', '/dev/null');
  expect(loaded.filter((line) => !/better-sqlite3|bindings|file-uri-to-path|render-graphiql/.test(line))).toEqual([]);
  expect(loaded.join('\n')).toContain('/better-sqlite3/');
});

test('a client command loads nothing that only a gateway needs', () => {
  const modules = modulesOf('src/main.ts', 'jobs', '--help').join('\n');
  expect(modules).toContain('/graphql-ws/');
  expect(modules).not.toMatch(ofGateways);
});

test('a start with refused settings loads nothing that only a gateway needs', () => {
  expect(modulesOf('src/main.ts', 'serve', '--port', 'none').join('\n')).not.toMatch(ofGateways);
});
