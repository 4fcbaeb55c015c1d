import { onOff, whole } from './kinds.ts';
import type { Settings } from './setting.ts';

export const company = {
  slots: whole({
    name: 'slots',
    text: 'steps that its agent runs at once; 0 starts no agent',
    byDefault: 1,
    atLeast: 0,
    atMost: 1_000,
    isCommon: true,
    isOnlyUp: true,
  }),
  aggregator: onOff({
    name: 'aggregator',
    text: 'averages the models of federated rounds itself; off leaves that to other gateways on its database',
    byDefault: true,
    isCommon: true,
  }),
} as const satisfies Settings;
