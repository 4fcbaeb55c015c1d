import { defineConfig } from 'vitest/config';

/** Tests that count what a process has prepared so far: each has a worker of its own. */
const alone = ['test/schema/core/loaders.test.ts', 'test/store/plans.test.ts'];
// Those are `npm run test:long`.
const left = ['node_modules/**', 'test/**/*.long.test.ts'];

export default defineConfig({
  // As Node resolves it: with its "module" field Vite would load a second graphql-js beside the one that the packages load.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    // Not beside them: a project's list would be added to it.
    projects: [
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: [...left, ...alone] } },
      { extends: true, test: { name: 'alone', include: alone, isolate: true } },
    ],
    globalSetup: ['test/support/run-folder.ts', 'test/support/postgres-server.ts'],
    pool: 'forks',
    // The files that a worker runs share the modules of src: loading them for each of 200 files would take as long as the tests themselves.
    isolate: false,
    unstubEnvs: true,
    restoreMocks: true,
    // As a gateway loads them: else each worker would take two seconds to load drizzle-orm.
    execArgv: ['--import', new URL('src/module-loading.ts', import.meta.url).href],
    // Two cores run the whole suite: a child process under load may take its time, and a wait that hangs must still end.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    maxWorkers: 2,
  },
});
