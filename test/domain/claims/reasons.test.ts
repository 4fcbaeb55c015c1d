/** Every reason in the API is given somewhere in the code. */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { reportedReasons } from '../../../src/domain/claims/outcomes.ts';
import { preparations } from '../../../src/domain/claims/progress.ts';
import { statusReasons } from '../../../src/domain/core/lifecycle.ts';

/** The code without comments, types, and lists of all reasons. */
const textOf = (...folders: string[]) =>
  globSync(folders.map((folder) => `src/${folder}/**/*.ts`))
    .filter((path) => !/lifecycle\.ts$|enums\.ts$/.test(path))
    .map((path) => readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*|const (?:reportedReasons|preparations).*\n/g, ''))
    .join('\n');

const gateway = textOf('domain', 'schema');
const agent = textOf('agent');
const ofDevices = [...reportedReasons, ...preparations];

describe.each(statusReasons)('The reason %s', (reason) => {
  test('is given by the gateway, or reported by the agent and accepted', () => {
    const isGiven = (text: string) => text.includes(`'${reason}'`);
    // The gateway gives RUN_TIMEOUT; a device with a timeout of its own may report it as well.
    if (ofDevices.includes(reason) && reason !== 'RUN_TIMEOUT') expect(isGiven(agent)).toBe(true);
    else expect(isGiven(gateway)).toBe(true);
  });
});
