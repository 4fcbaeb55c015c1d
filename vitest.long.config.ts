/** `npm run test:long`: what takes minutes. Each test brings processes of its own, and has them die; much of that is waiting, so three run at a time. */
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

/** Begins with those, so that none of them is left running alone at the end. Where it has no times, vitest begins with the files of most lines. */
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
  // Set, not merged: merging would add them to what the usual tests include and leave out.
  config.test.include = ['test/**/*.long.test.ts'];
  config.test.exclude = ['node_modules/**'];
  config.test.projects = undefined; // each file has a worker of its own here
  return config;
});
