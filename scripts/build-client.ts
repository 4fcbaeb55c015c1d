/**
 * Builds the npm package @trainyard/client from src/client into packages/client/dist, ready for
 * `npm pack` and `npm publish` there. The version, the license and the versions of the dependencies
 * are those of the gateway's own package.json, and what is compatible with them.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const top = new URL('../', import.meta.url);
const folder = new URL('packages/client/', top);
const built = new URL('dist/', folder);

const read = (url: URL): Record<string, unknown> => JSON.parse(readFileSync(url, 'utf8'));
const { version, license, dependencies } = read(new URL('package.json', top));
// npm allows nothing else there.
const versions = dependencies as Readonly<Record<string, string>>;

rmSync(built, { recursive: true, force: true });
const tsc = fileURLToPath(new URL('node_modules/typescript/bin/tsc', top));
const { status } = spawnSync(process.execPath, [tsc, '--project', fileURLToPath(folder)], { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

/** The packages that the built files import, without those that its users bring. */
function findDependencies(): string[] {
  const { peerDependencies = {} } = read(new URL('package.json', folder));
  const scripts = readdirSync(built, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  const imports = scripts.flatMap((name) => [...readFileSync(new URL(name, built), 'utf8').matchAll(/ from '([^.'][^']*)'/g)]);
  const names = imports.map(([, path = '']) => /^(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path);
  return [...new Set(names)].filter((name) => !Object.hasOwn(Object(peerDependencies), name)).sort();
}

function versionOf(name: string): string {
  const version = versions[name];
  if (version === undefined) throw new Error(`The client imports ${name}, which is no dependency of package.json.`);
  return version;
}

const described = {
  ...read(new URL('package.json', folder)),
  version,
  license,
  dependencies: Object.fromEntries(findDependencies().map((name) => [name, `^${versionOf(name)}`])),
};
writeFileSync(new URL('package.json', built), `${JSON.stringify(described, null, 2)}\n`);
for (const name of ['README.md', 'LICENSE']) copyFileSync(new URL(name, folder), new URL(name, built));
