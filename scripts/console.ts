/** How Vite builds and serves the console, src/console. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { InlineConfig, Plugin } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
export const consoleFolder = join(root, 'dist', 'console');

/**
 * uPlot makes a NumberFormat of the browser's language, and Chromium's under LANG=C is
 * `en-US@posix`, which NumberFormat refuses. The console writes numbers the same for everyone.
 */
function plainNumbers(): Plugin {
  return {
    name: 'plain-numbers',
    transform: (code, id) => (id.endsWith('/uPlot.esm.js') ? code.replace('nav.language', "'en'") : undefined),
  };
}

export const consoleConfig: InlineConfig = {
  configFile: false,
  root: join(root, 'src', 'console'),
  logLevel: 'warn',
  plugins: [plainNumbers()],
  build: { emptyOutDir: true, target: 'es2023', modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
};

/** Builds the console, with a compressed copy of each file beside it. */
export async function buildConsole(folder = consoleFolder): Promise<void> {
  // Vite builds for development when this says so, and vitest, whose tests may build, sets it to
  // `test`.
  process.env.NODE_ENV = 'production';
  const { build } = await import('vite');
  await build({ ...consoleConfig, build: { ...consoleConfig.build, outDir: folder } });
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name);
    if (!statSync(path).isFile()) continue;
    const bytes = readFileSync(path);
    const copies = {
      gz: gzipSync(bytes, { level: 9 }),
      br: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
    };
    for (const [suffix, copy] of Object.entries(copies)) if (copy.length < bytes.length) writeFileSync(`${path}.${suffix}`, copy);
  }
}
