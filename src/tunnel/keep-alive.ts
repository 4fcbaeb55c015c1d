import type { Http2Session } from 'node:http2';

/**
 * Ends a session whose other side has not answered a ping before the next one. Returns a function
 * that stops it.
 */
export function keepAlive(session: Http2Session, everyMs: number): () => void {
  let isAnswered = true;
  const timer = setInterval(() => {
    if (!isAnswered) return session.destroy();
    isAnswered = false;
    session.ping((error) => {
      isAnswered = error === null;
    });
  }, everyMs).unref();
  return () => clearInterval(timer);
}
