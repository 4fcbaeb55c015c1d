import { defineConfig } from 'vitest/config';

/** Tests that count what the process has prepared so far. Each needs a worker of its own. */
const alone = ['test/schema/core/loaders.test.ts', 'test/schema/core/response-budget.test.ts', 'test/store/plans.test.ts'];
// Long tests run by `npm run test:long`.
const left = ['node_modules/**', 'test/**/*.long.test.ts'];

export default defineConfig({
  // Node's resolution. By its "module" field, Vite would load a second graphql-js next to the one
  // that the packages load.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    // Every pattern stands in a project: a list beside `projects` would be added to theirs.
    projects: [
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: [...left, ...alone] } },
      { extends: true, test: { name: 'alone', include: alone, isolate: true } },
    ],
    globalSetup: ['test/support/bundle.ts', 'test/support/run-folder.ts', 'test/support/postgres-server.ts'],
    pool: 'forks',
    // The test files of a worker share the modules of src. Loading these for each of 200 files
    // would take as long as the tests themselves.
    isolate: false,
    unstubEnvs: true,
    restoreMocks: true,
    // What `bin/` does. Without it, each worker spends two seconds on loading drizzle-orm.
    execArgv: ['--import', new URL('src/module-loading.ts', import.meta.url).href],
    // The whole suite shares two cores: a child process under load is slow, and a wait that hangs
    // must still end.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // Two cores, and tests that wait for processes and disks half of the time.
    maxWorkers: 3,
  },
});
