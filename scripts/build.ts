/**
 * Makes dist/: src/ and its packages in a few files, which Node loads in a fraction of the time.
 *
 * `npm ci` runs this. `bin/trainyard.js` starts dist/ unless a source file is newer. What is not
 * bundled: better-sqlite3, which loads a binary from beside itself, and GraphiQL, which is large and
 * only read when a browser asks for it.
 */
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { entryPoints } from '../src/installation.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const bundle = await rolldown({
  cwd: root,
  platform: 'node',
  input: Object.fromEntries(entryPoints.map((name) => [name, `src/${name}.ts`])),
  external: ['better-sqlite3', 'pg-native', /^@graphql-yoga\/render-graphiql/],
  // Those that are imported by their address have to keep their exports.
  preserveEntrySignatures: 'strict',
});
await bundle.write({ dir: `${root}dist`, format: 'esm', cleanDir: true, chunkFileNames: 'chunks/[name]-[hash].js' });
