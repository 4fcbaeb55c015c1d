import type { ClaimedStepFieldsFragment, ContainerFieldsFragment, LeaseFieldsFragment } from '../../src/client/generated.ts';

const noResources = { memoryMb: null, cpu: null, gpu: null, gpuModel: null, shm: false };

const emptyContainer: ContainerFieldsFragment = {
  image: null,
  entrypoint: null,
  command: null,
  properties: {},
  build: null,
  env: [],
  volumes: [],
  http: null,
  resources: noResources,
};

export const lease: LeaseFieldsFragment = { token: 'lease_secret', attempt: 3, expiresAt: '2026-01-01T00:01:00.000Z' };

/** A claimed step with this container. */
export function claimedStep(container: Partial<ContainerFieldsFragment> = {}): ClaimedStepFieldsFragment {
  return {
    id: 'step_1',
    number: 2,
    name: 'train',
    maxAttempts: 1,
    container: { ...emptyContainer, ...container },
    resources: noResources,
    inputs: [],
    job: {
      id: 'job_1',
      name: 'digits',
      type: 'TRAINING',
      settings: { lr: 0.1 },
      runTimeoutSeconds: null,
      project: { id: 'proj_1', name: 'Digits', gitRepository: null },
      code: null,
      items: [{ name: 'epochs', value: '3', typedValue: 3, valueType: 'INT' }],
    },
  };
}
