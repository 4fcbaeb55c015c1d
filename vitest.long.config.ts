/**
 * `npm run test:long`: tests that take minutes. Each starts processes and kills them. Most of the
 * time is waiting, so three run at once.
 */
import { defineConfig, mergeConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import usual from './vitest.config.ts';

/** The files that take longest. */
const longest = [
  'kills-sqlite',
  'power-loss',
  'bugs',
  'disturbances',
  'kills-postgres',
  'kills-two-gateways',
  'sound',
  'unread',
  'containers',
];

/**
 * Starts the longest files first, so that none runs alone at the end. Files with no recorded time
 * are sorted by size, vitest's default.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = longest.findIndex((name) => moduleId.endsWith(`/${name}.long.test.ts`));
      return place < 0 ? longest.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig(() => {
  const config = mergeConfig(usual, {
    test: { testTimeout: 600_000, hookTimeout: 120_000, maxWorkers: 3, isolate: true, sequence: { sequencer: LongestFirst } },
  });
  // Assigned, because merging would add to the lists of the usual tests.
  config.test.include = ['test/**/*.long.test.ts'];
  config.test.exclude = ['node_modules/**'];
  config.test.projects = undefined; // each file has its own worker
  return config;
});
