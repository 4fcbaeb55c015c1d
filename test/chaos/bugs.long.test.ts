/** The checker can fail: it finds each deliberate bug and names the promise that the bug breaks. */
import { describe, expect, test } from 'vitest';
import { bugs } from './bugs/bugs.ts';
import { findBug } from './bugs/run.ts';
import { whyNoStrace } from './nemesis/strace.ts';
import { openPlace } from './place.ts';

const why = whyNoStrace();
if (why) process.stderr.write(`What needs a power loss is left out: ${why}\n`);
const here = bugs.filter(({ run }) => why === null || run !== 'power');

describe('The checker finds', () => {
  test.each(here)('$name ($breaks)', async (bug) => {
    const { findings, report } = await findBug(bug, async () => ({ ...(await openPlace(bug.database)), seed: 'long' }));
    expect(new Set(findings.map(({ promise }) => promise)), report).toContain(bug.breaks);
  });
});
