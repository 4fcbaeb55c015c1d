import type { Principal } from '../../src/domain/access/principal.ts';
import type { Domain } from '../../src/domain/core/domain.ts';
import { type Asked, whyNot as explain, type WhyNot } from '../../src/domain/steps/why-not.ts';

/** Why a step is not claimed. */
export async function whyNot(domain: Domain, principal: Principal, step: Asked['step'], deviceId: string | null): Promise<WhyNot[]> {
  return (await explain(domain, principal, [{ step, deviceId }], async () => {})).flat();
}
