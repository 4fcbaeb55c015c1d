import { oneOf, optionalText } from './kinds.ts';
import type { Settings } from './setting.ts';

export const telemetry = {
  logLevel: oneOf({
    name: 'log-level',
    text: 'lowest level that is logged; requests are logged at debug, since there can be thousands a second',
    byDefault: 'info',
    of: ['debug', 'info', 'warn', 'error'],
    isCommon: true,
  }),
  metricsAddress: optionalText({
    name: 'metrics-address',
    text: 'another address that serves /metrics, to anyone and without a key; by default only the gateway serves them, for a key',
    placeholder: 'HOST:PORT',
    pattern: /^([\w.-]+|\[[\da-f:]+\]):\d{2,5}$/i,
    takes: 'an address with a port, such as 127.0.0.1:9464',
  }),
} as const satisfies Settings;
