import type { Answer } from '../answers.ts';
import { chooseMediaType, type MediaType } from './accept.ts';
import type { HttpRefusal } from './refusal.ts';

/** The answer to a request before it is sent, from Yoga or from the hot path. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export function replyWith(answer: Answer, accept: string | undefined): Reply {
  const mediaType = chooseMediaType(accept);
  return { status: statusOf(answer, mediaType), headers: headersOf(mediaType, answer.text), text: answer.text };
}

export function replyWithRefusal({ status, message, extensions, headers }: HttpRefusal, accept: string | undefined): Reply {
  const text = JSON.stringify({ errors: [{ message, extensions }] });
  return { status, headers: { ...headersOf(chooseMediaType(accept), text), ...headers }, text };
}

/**
 * As the GraphQL-over-HTTP specification says: a proxy may answer with `application/json` too, so
 * with that type, 200 means that a GraphQL server answered.
 */
function statusOf(answer: Answer, mediaType: MediaType): number {
  if (answer.outcome === 'fault') return 500;
  return answer.outcome === 'refused' && mediaType !== 'application/json' ? 400 : 200;
}

const headersOf = (mediaType: MediaType, text: string): Record<string, string> => ({
  'content-type': `${mediaType}; charset=utf-8`,
  'content-length': String(Buffer.byteLength(text)),
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
});
