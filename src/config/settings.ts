/**
 * The settings of a gateway, by topic: environment and flags, checked once, each with its default and the reason for it.
 *
 * A setting is an entry in its topic's file; a topic is a file and an entry here. docs/settings.md is made from this table
 * (`npm run settings`), and so is `--help`.
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
  network: { title: 'Where it listens, and who may come', settings: network },
  store: { title: 'Where it keeps things', settings: store },
  local: { title: 'What runs beside it', settings: local },
  telemetry: { title: 'What its operator sees', settings: telemetry },
  limits: { title: 'What one client may ask', settings: limits },
  work: { title: 'Sizes and times of work', settings: work },
  retention: { title: 'How long things are kept', settings: retention },
} as const satisfies Readonly<Record<string, Topic>>;

/** `config.limits.bodyBytes`: the values, by topic and name. */
export type Config = { readonly [T in keyof typeof topics]: ValuesOf<(typeof topics)[T]['settings']> };
