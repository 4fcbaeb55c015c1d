/** That every reason which the API names is one that somebody gives. */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { reportedReasons } from '../../../src/domain/claims/outcomes.ts';
import { preparations } from '../../../src/domain/claims/progress.ts';
import { statusReasons } from '../../../src/domain/core/lifecycle.ts';

/** The code, without comments, types and the lists that only name what there is. */
const textOf = (...folders: string[]) =>
  globSync(folders.map((folder) => `src/${folder}/**/*.ts`))
    .filter((path) => !/lifecycle\.ts$|enums\.ts$/.test(path))
    .map((path) => readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*|const (?:reportedReasons|preparations).*\n/g, ''))
    .join('\n');

const gateway = textOf('domain', 'schema');
const agent = textOf('agent');
const ofDevices = [...reportedReasons, ...preparations];

describe.each(statusReasons)('The reason %s', (reason) => {
  test('is given by the gateway, or by the agent and taken from it', () => {
    const isGiven = (text: string) => text.includes(`'${reason}'`);
    // What comes with a run timeout is the gateway's; a device that has one of its own may say so as well.
    if (ofDevices.includes(reason) && reason !== 'RUN_TIMEOUT') expect(isGiven(agent)).toBe(true);
    else expect(isGiven(gateway)).toBe(true);
  });
});
