/**
 * The settings of a gateway, by topic: from environment and flags, checked once, each with its
 * default and the reason for it.
 *
 * A setting is an entry in its topic's file. A topic is a file and an entry here. docs/settings.md
 * (`npm run settings`) and `--help` are made from this table.
 */

import { limits } from './limits.ts';
import { local } from './local.ts';
import { network } from './network.ts';
import { retention } from './retention.ts';
import type { Settings, ValuesOf } from './setting.ts';
import { store } from './store.ts';
import { telemetry } from './telemetry.ts';
import { work } from './work.ts';

interface Topic {
  readonly title: string;
  readonly settings: Settings;
}

export const topics = {
  network: { title: 'Network and access', settings: network },
  store: { title: 'Storage', settings: store },
  local: { title: 'Agent and aggregator', settings: local },
  telemetry: { title: 'Telemetry', settings: telemetry },
  limits: { title: 'Limits for one client', settings: limits },
  work: { title: 'Jobs, steps and devices', settings: work },
  retention: { title: 'Retention', settings: retention },
} as const satisfies Readonly<Record<string, Topic>>;

/** The values by topic and name, like `config.limits.bodyBytes`. */
export type Config = { readonly [T in keyof typeof topics]: ValuesOf<(typeof topics)[T]['settings']> };
