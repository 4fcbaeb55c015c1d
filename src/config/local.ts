import { onOff, optionalText, toggle, whole } from './kinds.ts';
import type { Settings } from './setting.ts';

export const local = {
  slots: whole({
    name: 'slots',
    text: 'steps that the agent runs at once; 0 starts no agent',
    byDefault: 1,
    atLeast: 0,
    atMost: 1_000,
    isCommon: true,
    isLocal: true,
  }),
  isolate: toggle({
    name: 'isolate',
    text: 'run each process step as an unprivileged user, with its own processes and /tmp (Linux, as root)',
    refusesEmpty: true,
    isCommon: true,
    isLocal: true,
  }),
  isolateUser: optionalText({
    name: 'isolate-user',
    text: 'the user that isolated steps run as; without it, a different unnamed user for each step',
    placeholder: 'USER',
    takes: 'the name of a user',
    pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/,
    refusesEmpty: true,
    isLocal: true,
  }),
  aggregator: onOff({
    name: 'aggregator',
    text: 'average the models of federated rounds here; off leaves that to other gateways on the same database',
    byDefault: true,
    isCommon: true,
  }),
} as const satisfies Settings;
