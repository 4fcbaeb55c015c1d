/**
 * The deliberate bugs of test:long are edits of the source. This test fails if a change of the
 * source removes a text that they edit.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFolder } from '../support/folders.ts';
import { bugs } from './bugs/bugs.ts';
import { copyWithBug } from './bugs/copy.ts';

test.each(bugs)('the bug "$name" can be put into a copy of the source', (bug) => {
  expect(() => copyWithBug(join(createFolder('bug'), 'source'), bug)).not.toThrow();
});

test('a bug whose anchor is missing is refused', () => {
  const bug = { name: 'a moved one', edits: [{ file: 'src/main.ts', find: 'this is not there', replace: '' }] };
  expect(() => copyWithBug(join(createFolder('bug'), 'source'), bug)).toThrow('The bug "a moved one" cannot be put in: src/main.ts');
});
