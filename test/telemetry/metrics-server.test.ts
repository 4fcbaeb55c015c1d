import { expect, test } from 'vitest';
import { listenableOf } from '../../src/telemetry/metrics-server.ts';

test('the address of the metrics keeps its port, even port 80', () => {
  expect(listenableOf('127.0.0.1:80')).toEqual({ host: '127.0.0.1', port: 80 });
  expect(listenableOf('127.0.0.1:9464')).toEqual({ host: '127.0.0.1', port: 9464 });
  expect(listenableOf('metrics.internal:080')).toEqual({ host: 'metrics.internal', port: 80 });
  expect(listenableOf('[::1]:443')).toEqual({ host: '::1', port: 443 });
});
