import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphqlParts } from './app.ts';
import { noteLimit, OperationRefused } from './errors.ts';
import { readParams } from './http/params.ts';
import { HttpRefusal } from './http/refusal.ts';
import { type Reply, replyWith, replyWithRefusal } from './http/reply.ts';
import { sendReply, watchAnswer } from './http/send.ts';
import { refuseSubscription } from './plugins/event-streams.ts';
import { requireKey } from './plugins/key.ts';
import { askedBy } from './plugins/params.ts';
import type { Call } from './watch/call.ts';

/** POST with JSON, answered with JSON, by a program: browsers name their origin, and Yoga knows what that means. */
export function isHot({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'POST' &&
    headers['content-type'] === 'application/json' &&
    headers.origin === undefined &&
    !(headers.accept !== undefined && /event-stream/i.test(headers.accept))
  );
}

/**
 * The way that most requests come, past Yoga's HTTP: from node:http to the pipeline and back. The steps are those of yoga.ts, and
 * test/server/ways-in.test.ts holds the answers of both to be the same.
 */
export async function answerHot<C extends object>(
  parts: GraphqlParts<C>,
  req: IncomingMessage,
  res: ServerResponse,
  call: Call,
): Promise<void> {
  sendReply(req, res, await replyTo(parts, req, res, call));
  watchAnswer(parts.connections, res);
}

async function replyTo<C extends object>(parts: GraphqlParts<C>, req: IncomingMessage, res: ServerResponse, call: Call): Promise<Reply> {
  const { pipeline, limits, meters } = parts;
  const { accept } = req.headers;
  try {
    const principal = await requireKey(parts, req, res);
    const params = await readParams(req, res, limits);
    const { operation, execute } = pipeline.prepare(askedBy(parts, { req, res, call, principal, params }));
    if (operation.node.operation === 'subscription') throw refuseSubscription();
    return replyWith(await execute(), accept);
  } catch (error) {
    if (error instanceof OperationRefused) return replyWith(pipeline.answers.refusal(error.errors, call), accept);
    if (!(error instanceof HttpRefusal)) throw error;
    noteLimit(meters, error.error.extensions);
    return replyWithRefusal(error, accept);
  }
}
