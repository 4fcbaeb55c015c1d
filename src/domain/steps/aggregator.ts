/** The gateway's own device. It averages the models of federated rounds and runs nothing else. */
import { insertDevice, saveDeviceFields } from '../../store/changes/devices.ts';
import { deviceByName } from '../../store/queries/rows.ts';
import type { DeviceRow } from '../../store/schema/tables.ts';
import { insertRows } from '../../store/statements/inserts.ts';
import type { Principal } from '../access/principal.ts';
import { type Change, change, topics } from '../core/change.ts';
import type { Domain } from '../core/domain.ts';
import type { Label } from '../core/vocabulary.ts';
import { newDeviceFields } from './device-fields.ts';

/** The label of the gateway's own aggregator, which its steps require. */
export const aggregatorLabel: Label = { key: 'trainyard/aggregator', value: 'federated-averaging' };

const isAggregatorLabel = ({ key, value }: Label) => key === aggregatorLabel.key && value === aggregatorLabel.value;

/** Whether a device, or a demand of a step, has the aggregator's label. */
export const isForAggregator = (labels: readonly Label[]): boolean => labels.some(isAggregatorLabel);

const NAME = 'trainyard aggregator';
/**
 * Each gateway runs one aggregation at a time. Gateways with the same database share the device.
 */
const SLOTS = 16;

/**
 * Returns the device as a principal that may claim. The first start creates it. It has no key, so
 * only the gateway can act as it.
 */
export async function ensureAggregator(domain: Domain): Promise<Principal & { readonly deviceId: string }> {
  const { id } = await change(domain, null, async (change) => {
    const [known] = await change.tx.run(deviceByName, { projectKey: '', name: NAME });
    return known ? refresh(change, known) : add(change);
  });
  return {
    kind: 'DEVICE',
    role: null,
    name: `device:${NAME}`,
    keyId: null,
    projectId: null,
    jobId: null,
    deviceId: id,
    stepId: null,
    attempt: null,
    expiresAt: null,
  };
}

async function add({ tx, domain, now }: Change): Promise<DeviceRow> {
  const device: DeviceRow = {
    id: domain.ids.next('Device'),
    projectId: null,
    projectKey: '',
    ...newDeviceFields({ name: NAME, labels: [aggregatorLabel], slots: SLOTS }),
    lastSeenAt: now,
    createdAt: now,
    updatedAt: now,
  };
  await insertRows(tx, insertDevice, [device]);
  tx.touch(topics.device(device.id));
  return device;
}

/**
 * Undoes changes by another version of the gateway or by an operator, except draining: that is the
 * operator's decision.
 */
async function refresh({ tx, now }: Change, known: DeviceRow): Promise<DeviceRow> {
  const fields = { kind: 'WORKER', labels: [aggregatorLabel], slots: SLOTS, lastSeenAt: now } as const;
  await saveDeviceFields(tx, known.id, fields);
  tx.touch(topics.device(known.id));
  return { ...known, ...fields };
}
