/** What a claim and a completion cost the database: every statement is paid at each step. */
import { expect, test } from 'vitest';
import { claimNextSteps } from '../../../src/domain/claims/claims.ts';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import type { Domain } from '../../../src/domain/core/domain.ts';
import type { Queries, Store, Tx } from '../../../src/store/store.ts';
import { describeOnGround } from '../../support/ground.ts';

interface Cost {
  reads: number;
  writes: number;
  statements: string[];
}

/** The same domain, and what it asks of its store from now on. */
function counted(domain: Domain): { readonly domain: Domain; readonly cost: Cost } {
  const cost: Cost = { reads: 0, writes: 0, statements: [] };
  const noting = <Q extends Queries>(queries: Q, note: (name: string) => void): Q =>
    new Proxy(queries, {
      get(target, name) {
        if (name === 'run')
          return (...[query, values]: Parameters<Queries['run']>) => {
            note(query.name);
            return target.run(query, values);
          };
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  const read = noting(domain.store.read, () => {
    cost.reads += 1;
  });
  const write: Store['write'] = (work) => {
    cost.writes += 1;
    return domain.store.write((tx: Tx) => work(noting(tx, (name) => cost.statements.push(name))));
  };
  const store = new Proxy(domain.store, {
    get(target, name) {
      if (name === 'read') return read;
      if (name === 'write') return write;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return { domain: { ...domain, store }, cost };
}

describeOnGround('A step outside of rounds', (on) => {
  test('is claimed in one transaction of at most 11 statements, and completed in another of at most 10', async () => {
    const { seed, wakeups } = on();
    await seed.createJob([{ name: 'only' }]);
    const { principal } = await seed.registerDevice({});
    const claiming = counted(seed.domain);
    const input = { limit: 1, leaseSeconds: 60, waitSeconds: 0 };
    const { claims } = await claimNextSteps(claiming.domain, principal, input, { wakeups });
    expect(claims).toHaveLength(1);
    const completing = counted(seed.domain);
    await completeStep(completing.domain, principal, { leaseToken: claims[0]?.lease.token ?? '' });
    expect(claiming.cost).toMatchObject({ reads: 0, writes: 1 });
    expect(claiming.cost.statements.length, claiming.cost.statements.join(', ')).toBeLessThanOrEqual(11);
    expect(completing.cost).toMatchObject({ reads: 0, writes: 1 });
    expect(completing.cost.statements.length, completing.cost.statements.join(', ')).toBeLessThanOrEqual(10);
  });
});
