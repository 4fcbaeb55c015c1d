/** The schema: every file that adds to it, and what is made of them. */
import './scalars.ts';
import './node.ts';
import './projects.ts';
import './templates.ts';
import './devices.ts';
import './fragments.ts';
import './stateDicts.ts';
import './keys.ts';
import './viewer.ts';
import './gateway.ts';
import './jobs.ts';
import './job-lists.ts';
import './history.ts';
import './items.ts';
import './steps.ts';
import './attempts.ts';
import { builder } from './builder.ts';
import { readPlainly } from './plain.ts';

export const schema = readPlainly(builder.toSchema());
