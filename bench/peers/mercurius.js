/**
 * Mercurius set up for speed as its documentation says: JIT from the first request, loaders. No
 * key.
 */
import fastify from 'fastify';
import mercurius from 'mercurius';
import { announce } from './announce.js';
import { jobById, newestJobs, stepsOfJobs, typeDefs } from './rows.js';

const app = fastify();
app.register(mercurius, {
  schema: typeDefs,
  jit: 1,
  resolvers: {
    Query: {
      job: (_, { id }) => jobById(id),
      jobs: (_, { first }) => ({ nodes: newestJobs(first) }),
    },
  },
  loaders: { Job: { steps: { loader: async (queries) => stepsOfJobs(queries.map(({ obj }) => obj.id)), opts: { cache: false } } } },
});
await app.listen({ port: 0, host: '127.0.0.1' });
announce(app.server.address().port);
