/** Bugs that are put in on purpose, in test:long, need the places into which they are put: a change of the source that moves one is told here. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFolder } from '../support/folders.ts';
import { bugs } from './bugs/bugs.ts';
import { copyWithBug } from './bugs/copy.ts';

test.each(bugs)('the bug "$name" can be put into a copy of the source', (bug) => {
  expect(() => copyWithBug(join(createFolder('bug'), 'source'), bug)).not.toThrow();
});

test('a bug whose place is gone is refused', () => {
  const bug = { name: 'a moved one', edits: [{ file: 'src/main.ts', find: 'this is not there', replace: '' }] };
  expect(() => copyWithBug(join(createFolder('bug'), 'source'), bug)).toThrow('The bug "a moved one" cannot be put in: src/main.ts');
});
