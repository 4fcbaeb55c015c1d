/**
 * What the gateway hides of what a step says: the token of its lease, and the values of its variables that are secret.
 *
 * The agent masks as well, and does it first. This is for devices that do not, and sees each text for itself: a secret that a device splits between two
 * chunks of log is the device's to mask.
 */
import { stepById } from '../../store/queries/rows.ts';
import type { StepRow } from '../../store/schema/tables.ts';
import { Mask } from '../../text/mask.ts';
import type { Domain } from '../core/domain.ts';
import type { EnvironmentVariable } from '../core/vocabulary.ts';
import { parseLeaseToken } from './secrets.ts';

type WithContainer = Pick<StepRow, 'container'>;

export const secretsOf = ({ container }: WithContainer): EnvironmentVariable[] => (container?.env ?? []).filter(({ isSecret }) => isSecret);

const valuesOf = (of: WithContainer): string[] => secretsOf(of).map(({ value }) => value);

/** Masks what an attempt says that came with this token. */
export const maskOf = (step: WithContainer, leaseToken: string): Mask => new Mask([leaseToken, ...valuesOf(step)]);

/** Masks the output of a job, which is written down before its step is locked. */
export async function maskOfOutput({ store }: Domain, job: WithContainer, leaseToken: string | null): Promise<Mask> {
  const name = leaseToken === null ? null : parseLeaseToken(leaseToken);
  const [step] = name === null ? [] : await store.read.run(stepById, { id: name.stepId });
  return new Mask([...(leaseToken === null ? [] : [leaseToken]), ...valuesOf(job), ...(step ? valuesOf(step) : [])]);
}
