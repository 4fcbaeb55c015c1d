/** graphql-yoga with its defaults and a DataLoader against N+1 reads. No key. */
import { createServer } from 'node:http';
import DataLoader from 'dataloader';
import { createSchema, createYoga } from 'graphql-yoga';
import { announce } from './announce.js';
import { jobById, newestJobs, stepsOfJobs, typeDefs } from './rows.js';

const yoga = createYoga({
  logging: 'error',
  schema: createSchema({
    typeDefs,
    resolvers: {
      Query: {
        job: (_, { id }) => jobById(id),
        jobs: (_, { first }) => ({ nodes: newestJobs(first) }),
      },
      Job: { steps: ({ id }, _, { steps }) => steps.load(id) },
    },
  }),
  context: () => ({ steps: new DataLoader(async (ids) => stepsOfJobs(ids)) }),
});
const server = createServer(yoga);
server.listen(0, '127.0.0.1', () => announce(server.address().port));
