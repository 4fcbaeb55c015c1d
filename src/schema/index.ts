/** The schema: every file that adds to it, and what is made of them. */
import './scalars.ts';
import './node.ts';
import { builder } from './builder.ts';
import { readPlainly } from './plain.ts';

export const schema = readPlainly(builder.toSchema());
