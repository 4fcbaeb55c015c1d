import type { Domain } from '../domain/core/domain.ts';
import { version } from '../installation.ts';
import { builder } from './core/builder.ts';
import { viewerOf } from './core/context.ts';

const Gateway = builder.objectRef<Domain>('Gateway').implement({
  description: 'The gateway process that answers this request. Several gateways can share one PostgreSQL database.',
  fields: (t) => ({
    version: t.string({ description: 'The version of Trainyard.', resolve: () => version }),
    store: t.string({
      description: 'The database and its version: `sqlite 3.51.0`.',
      resolve: ({ store }) => store.description,
    }),
    startedAt: t.field({
      type: 'DateTime',
      description: 'When the process started.',
      resolve: () => new Date(performance.timeOrigin),
    }),
    limits: t.field({
      type: 'JSONObject',
      description: 'Its limits on sizes and durations: numbers keyed by name. The names include the units.',
      resolve: ({ limits }, _, { serverLimits }) => ({ ...serverLimits, ...limits }),
    }),
  }),
});

builder.queryField('gateway', (t) =>
  t.field({
    type: Gateway,
    description: 'About the gateway itself.',
    resolve: (_, __, context) => viewerOf(context) && context.domain,
  }),
);
