/**
 * Bundles src/ and its packages into dist/, a few files that Node loads in a fraction of the time,
 * and the console into dist/console/. The Python package becomes a wheel in dist/python/.
 *
 * `npm ci` runs this. `bin/trainyard.js` starts dist/ unless a source file is newer. Two packages
 * are not bundled: better-sqlite3, which loads a binary that lies beside it, and GraphiQL, which is
 * large and only read when a browser asks for it.
 */
import { fileURLToPath } from 'node:url';
import { entryPoints } from '../src/installation.ts';
import { buildConsole } from './console.ts';
import { buildWheel } from './python-wheel.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const { rolldown } = await import('rolldown').catch((error: NodeJS.ErrnoException) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  // `npm ci --omit=dev`
  buildWheel();
  console.log(
    'dist/ is not built, since the development packages are not installed: src/ runs instead, starts slower, and has no console.',
  );
  process.exit();
});
const bundle = await rolldown({
  cwd: root,
  platform: 'node',
  input: Object.fromEntries(entryPoints.map((name) => [name, `src/${name}.ts`])),
  external: ['better-sqlite3', 'pg-native', /^@graphql-yoga\/render-graphiql/],
  // A module that is imported by its address has to keep its exports.
  preserveEntrySignatures: 'strict',
});
await bundle.write({
  dir: `${root}dist`,
  format: 'esm',
  cleanDir: true,
  chunkFileNames: 'chunks/[name]-[hash].js',
  // Node has to read all of it at each start: a third is comments, and text beyond ASCII takes
  // twice the memory and longer to decode.
  comments: false,
  charset: 'ascii',
});
await buildConsole();
buildWheel();
