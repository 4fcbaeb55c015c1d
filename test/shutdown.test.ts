import { expect, test } from 'vitest';
import { endInTurn } from '../src/shutdown.ts';

test('the parts of a whole are closed in turn, even if some of them fail', async () => {
  const said: string[] = [];
  const slow = Promise.withResolvers<void>();
  const ending = endInTurn(
    [
      () => {
        throw new Error('the aggregator');
      },
      async () => {
        await slow.promise;
        said.push('server');
      },
    ],
    [() => Promise.reject(new Error('the store'))],
    [() => said.push('log')],
  );
  said.push('begun');
  slow.resolve();
  const failures = await ending;
  expect(said).toEqual(['begun', 'server', 'log']);
  expect(failures.map(({ reason }) => String(reason))).toEqual(['Error: the aggregator', 'Error: the store']);
});
