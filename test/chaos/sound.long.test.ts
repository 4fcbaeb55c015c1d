/** The checker finds nothing in the unchanged source, in the runs in which it finds the bugs. */
import { describe, expect, test } from 'vitest';
import { bugs } from './bugs/bugs.ts';
import { runSound } from './bugs/run.ts';
import { whyNoStrace } from './nemesis/strace.ts';
import { openPlace } from './place.ts';

const why = whyNoStrace();
if (why) process.stderr.write(`What needs a power loss is left out: ${why}\n`);
const here = bugs.filter(({ run }) => why === null || run !== 'power');

/** Bugs with the same run share it. */
const sound = [...new Map(here.map((bug) => [`${bug.run} ${bug.database}`, bug])).values()];

describe('The checker finds nothing in the unchanged source', () => {
  test.each(sound)('in the run "$run" on $database', async ({ run, database }) => {
    const { violations, report } = await runSound(run, { ...(await openPlace(database)), seed: 'long' });
    expect(violations, report).toBe(0);
  });
});
