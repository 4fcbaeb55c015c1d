import { expect, onTestFinished, test, vi } from 'vitest';
import { stopOnSignal } from '../src/stop-signals.ts';

test('a Ctrl-C that arrives twice, because npm passes it on, stops a command like one', () => {
  const stop = vi.fn();
  const before = [...process.listeners('SIGINT'), ...process.listeners('SIGTERM')];
  stopOnSignal(stop);
  onTestFinished(() => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      for (const listener of process.listeners(signal)) if (!before.includes(listener)) process.off(signal, listener);
    }
  });
  // A second signal that is not an echo would end this process.
  for (let i = 0; i < 2; i++) process.emit('SIGINT', 'SIGINT');
  expect(stop).toHaveBeenCalledTimes(1);
});
