/** `npm run test:long`: what takes minutes. Each test brings processes of its own, and has them die; much of that is waiting, so three run at a time. */
import { defineConfig, mergeConfig } from 'vitest/config';
import usual from './vitest.config.ts';

export default defineConfig(() => {
  const config = mergeConfig(usual, { test: { testTimeout: 600_000, hookTimeout: 120_000, maxWorkers: 3, isolate: true } });
  // Set, not merged: merging would add them to what the usual tests include and leave out.
  config.test.include = ['test/**/*.long.test.ts'];
  config.test.exclude = ['node_modules/**'];
  return config;
});
