/** The setup of preemption tests: full devices, waiting steps, and what devices are told. */
import type { Claim } from '../../../src/domain/claims/claims.ts';
import { releaseStep, renewLease } from '../../../src/domain/claims/leases.ts';
import { completeStep } from '../../../src/domain/claims/outcomes.ts';
import type { AttemptRow } from '../../../src/store/schema/tables.ts';
import type { Ground } from '../../support/ground.ts';
import { admin, type SeededDevice } from '../../support/seed.ts';

interface Demand {
  readonly cpu?: number;
  readonly priority?: number;
  readonly isPreemptible?: boolean;
}

export function setupOn({ seed, claimNext }: Ground) {
  const renew = ({ lease }: Claim) => renewLease(seed.domain, admin, { leaseToken: lease.token, leaseSeconds: 60 });

  /** A job with one step, a second older than the next one. */
  async function queue(name: string, { cpu = 1, ...input }: Demand = {}) {
    const seeded = await seed.createJob([{ name, resources: { cpu } }], { name, ...input });
    seed.clock.advance(1_000);
    return seeded.job;
  }

  return {
    seed,
    renew,
    queue,
    isTold: async (claim: Claim) => (await renew(claim)).isPreempted,
    release: ({ lease }: Claim, description?: string) => releaseStep(seed.domain, admin, { leaseToken: lease.token, description }),
    complete: ({ lease }: Claim) => completeStep(seed.domain, admin, { leaseToken: lease.token }),
    claimOn: (device: SeededDevice, limit = 1) => claimNext(device.principal, { limit }),
    /** For one step of one core. */
    smallDevice: () => seed.registerDevice({ slots: 1, resources: { cpu: 1 } }),
    /** A job of one preemptible step that the device runs. */
    async occupy(device: SeededDevice, name: string, demand: Demand = {}): Promise<Claim> {
      const seeded = await seed.createJob([{ name, resources: { cpu: demand.cpu ?? 1 } }], {
        name,
        isPreemptible: true,
        priority: demand.priority ?? 0,
      });
      const claim = await seed.claim(seeded, 0, device);
      seed.clock.advance(1_000);
      return claim;
    },
    async attemptsOf(stepId: string): Promise<AttemptRow[]> {
      const { db, t } = seed.domain.store.read;
      return (await db.select().from(t.attempts)).filter((attempt) => attempt.stepId === stepId).sort((a, b) => a.number - b.number);
    },
    async changesOf(jobId: string, type: string) {
      const events = (await seed.readEvents(jobId)).filter((event) => event.type === type);
      return events.map(({ from, to, reason, description }) => [from, to, reason, description]);
    },
  };
}
export type Setup = ReturnType<typeof setupOn>;
