import { SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import type { Store } from '../store/store.ts';

/**
 * Wraps the store with a span for each write of a request: how long it waited, worked and
 * committed.
 */
export function traceWrites(store: Store, tracer: Tracer): Store {
  const write: Store['write'] = (work) => {
    // The gateway's own writes, twice a second, belong to no trace.
    if (!trace.getActiveSpan()) return store.write(work);
    return tracer.startActiveSpan('store write', async (span) => {
      const asked = performance.now();
      let began = asked;
      let worked = asked;
      try {
        const done = await store.write(async (tx) => {
          began = performance.now();
          try {
            return await work(tx);
          } finally {
            worked = performance.now();
          }
        });
        span.setAttribute('trainyard.store.commit_ms', performance.now() - worked);
        return done;
      } catch (error) {
        // A refusal undoes the write and is not an error. Its message may quote what a client sent.
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.constructor.name : 'unknown' });
        throw error;
      } finally {
        span.setAttribute('trainyard.store.queue_ms', began - asked);
        span.setAttribute('trainyard.store.work_ms', worked - began);
        span.end();
      }
    });
  };
  // A store has private fields, so its members must be called on the store itself.
  return new Proxy(store, {
    get(target, name) {
      if (name === 'write') return write;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
