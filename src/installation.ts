/**
 * Where this installation is. The same code runs from src/, as Node reads it, and from dist/, as
 * one bundle that starts in a fraction of the time (scripts/build.ts).
 */
import manifest from '../package.json' with { type: 'json' };

export const { version } = manifest;

const [, top = '', folder = ''] = /^(.*\/)(src|dist)\//s.exec(import.meta.url) ?? [];

/** A file that comes with the package: `drizzle/sqlite`. */
export const fileOfPackage = (path: string): URL => new URL(path, top);

/**
 * A module that is started or imported by its address. `scripts/build.ts` has to name it, too.
 */
export const entryPoint = (name: EntryPoint): URL => new URL(`${folder}/${name}.${folder === 'src' ? 'ts' : 'js'}`, top);

export type EntryPoint = (typeof entryPoints)[number];

/** Modules that have a file of their own in the bundle. */
export const entryPoints = ['main', 'aggregator/worker', 'json-schema/worker', 'store/files/disk', 'store/sqlite/walker'] as const;
