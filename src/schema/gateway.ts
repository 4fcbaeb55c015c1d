import manifest from '../../package.json' with { type: 'json' };
import type { Domain } from '../domain/core/domain.ts';
import { builder } from './core/builder.ts';
import { viewerOf } from './core/context.ts';

const Gateway = builder.objectRef<Domain>('Gateway').implement({
  description: 'The gateway that answers: one of several, where they share a PostgreSQL.',
  fields: (t) => ({
    version: t.string({ description: "Trainyard's version, as in package.json.", resolve: () => manifest.version }),
    store: t.string({
      description: 'The database behind it, with its version: `sqlite 3.51.0`.',
      resolve: ({ store }) => store.description,
    }),
    startedAt: t.field({
      type: 'DateTime',
      description: 'When its process began.',
      resolve: () => new Date(performance.timeOrigin),
    }),
    limits: t.field({
      type: 'JSONObject',
      description: 'How much of anything it takes, and how long things may last: numbers by name, units in the names.',
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
