import { unwrap } from '../../client/errors.ts';
import { DeleteDeviceDocument, type DeviceRowFieldsFragment, DrainDeviceDocument } from '../generated.ts';
import { gateway } from '../streams/gateway.ts';
import { mayEdit } from '../streams/viewer.ts';
import { Action } from './action.tsx';

interface DeviceActionsProps {
  readonly device: Pick<DeviceRowFieldsFragment, 'id' | 'name' | 'status'>;
  onChanged(): void;
  onDeleted(): void;
}

/** Drain or resume, and delete. */
export function DeviceActions({ device: { id, name, status }, onChanged, onDeleted }: DeviceActionsProps) {
  const disabled = mayEdit() ? undefined : 'It takes the role EDITOR.';
  const isDraining = status === 'DRAINING';
  const drain = async () => {
    unwrap((await gateway.request(DrainDeviceDocument, { input: { deviceId: id, isDraining: !isDraining } })).updateDevice);
    onChanged();
  };
  const remove = async () => {
    unwrap((await gateway.request(DeleteDeviceDocument, { input: { deviceId: id } })).deleteDevice);
    onDeleted();
  };
  return (
    <span class="row">
      <Action run={drain} disabled={disabled}>
        {isDraining ? 'Resume' : 'Drain'}
      </Action>
      <Action run={remove} disabled={disabled} isDangerous question={`Delete ${name}?`} yes="Delete it">
        Delete
      </Action>
    </span>
  );
}
