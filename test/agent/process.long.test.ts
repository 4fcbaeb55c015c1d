/** What a step starts is found by control groups, where the user may make some (P17). */
import { findGrouping } from '../../src/agent/containment.ts';
import { describeEnding } from './ending.ts';

for (const version of [1, 2] as const) {
  const way = (await findGrouping([version])) ?? `this user may make no control groups of version ${version}`;
  describeEnding(`by a control group of version ${version}`, way, { isSure: true });
}
