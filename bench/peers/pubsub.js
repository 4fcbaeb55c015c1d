/**
 * graphql-ws with graphql-yoga's createPubSub, as both document it. No key, no storage, no
 * resuming.
 */
import { createServer } from 'node:http';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createSchema } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { announce } from './announce.js';
import { readJson } from './body.js';

const pubsub = createPubSub();
const schema = createSchema({
  typeDefs: /* GraphQL */ `
    type Query { isUp: Boolean! }
    type Subscription { metrics(jobId: ID!): MetricFrame! }
    enum StreamState { REPLAYING LIVE ENDED }
    type MetricFrame { cursor: String! state: StreamState! missed: Int! points: [MetricPoint!]! }
    type MetricPoint { name: String! value: Float! iteration: Int at: String! stepNumber: Int! attempt: Int! }
  `,
  resolvers: {
    Query: { isUp: () => true },
    Subscription: { metrics: { subscribe: (_, { jobId }) => pubsub.subscribe('metrics', jobId), resolve: (frame) => frame } },
  },
});
const server = createServer(async (request, response) => {
  const { jobId, frame } = await readJson(request);
  pubsub.publish('metrics', jobId, frame);
  response.writeHead(200, { 'content-length': 2 }).end('{}');
});
useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));
server.listen(0, '127.0.0.1', () => announce(server.address().port));
