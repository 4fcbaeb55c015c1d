import { onOff, optionalText, toggle, whole } from './kinds.ts';
import type { Settings } from './setting.ts';

export const local = {
  slots: whole({
    name: 'slots',
    text: 'steps that its agent runs at once; 0 starts no agent',
    byDefault: 1,
    atLeast: 0,
    atMost: 1_000,
    isCommon: true,
    isLocal: true,
  }),
  isolate: toggle({
    name: 'isolate',
    text: 'its agent runs process steps as users without rights, each with processes and a /tmp of its own (Linux, as root)',
    isCommon: true,
    isLocal: true,
  }),
  isolateUser: optionalText({
    name: 'isolate-user',
    text: 'the user that isolated steps run as; each another one, without a name, where it is not given',
    placeholder: 'USER',
    takes: 'the name of a user',
    pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/,
    isLocal: true,
  }),
  aggregator: onOff({
    name: 'aggregator',
    text: 'averages the models of federated rounds itself; off leaves that to other gateways on its database',
    byDefault: true,
    isCommon: true,
  }),
} as const satisfies Settings;
