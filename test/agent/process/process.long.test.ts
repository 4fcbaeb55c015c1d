/** A step's processes are found by control groups, where the user may make them (P17). */
import { findGrouping } from '../../../src/agent/process/containment.ts';
import { isolate } from '../../../src/agent/process/isolation.ts';
import { createFolder } from '../../support/folders.ts';
import { describeEnding } from '../ending.ts';

for (const version of [1, 2] as const) {
  const way = (await findGrouping([version])) ?? `this user may make no control groups of version ${version}`;
  describeEnding(`by a control group of version ${version}`, way, { isSure: true });
}

const workDir = createFolder('isolation');
const isolation = await isolate({ workDir }).catch((error: Error) => error.message);
describeEnding('by a namespace of its own', isolation, { isSure: true });
