/** The checker finds nothing where there is nothing to find: the runs in which it finds bugs, on the source as it is. */
import { describe, expect, test } from 'vitest';
import { bugs } from './bugs/bugs.ts';
import { runSound } from './bugs/run.ts';
import { whyNoStrace } from './nemesis/strace.ts';
import { openPlace } from './place.ts';

const why = whyNoStrace();
if (why) process.stderr.write(`What needs a power loss is left out: ${why}\n`);
const here = bugs.filter(({ run }) => why === null || run !== 'power');

/** Bugs that show in the same run share it. */
const sound = [...new Map(here.map((bug) => [`${bug.run} ${bug.database}`, bug])).values()];

describe('The checker finds nothing in the source as it is', () => {
  test.each(sound)('in the run "$run" on $database', async ({ run, database }) => {
    const { violations, report } = await runSound(run, { ...(await openPlace(database)), seed: 'long' });
    expect(violations, report).toBe(0);
  });
});
