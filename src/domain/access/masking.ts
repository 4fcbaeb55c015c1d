/**
 * Masks secrets in the reports of a step: its lease token, and the values of its secret variables.
 *
 * The agent masks them first. The gateway masks for devices that do not. It sees one text at a
 * time: only the device can mask a secret that is split between two log chunks.
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

/** The mask for reports of the attempt with this token. */
export const maskOf = (step: WithContainer, leaseToken: string): Mask => new Mask([leaseToken, ...valuesOf(step)]);

/** The mask for the output of a job, which is stored before its step is locked. */
export async function maskOfOutput({ store }: Domain, job: WithContainer, leaseToken: string | null): Promise<Mask> {
  const name = leaseToken === null ? null : parseLeaseToken(leaseToken);
  const [step] = name === null ? [] : await store.read.run(stepById, { id: name.stepId });
  return new Mask([...(leaseToken === null ? [] : [leaseToken]), ...valuesOf(job), ...(step ? valuesOf(step) : [])]);
}
