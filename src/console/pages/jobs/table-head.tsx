import type { JobOrderField } from '../../generated.ts';
import type { JobsView } from './view.ts';

type Order = JobsView['order'];

interface TableHeadProps {
  readonly view: JobsView;
  readonly metrics: readonly string[];
  onOrder(order: Order): void;
}

/** Names the columns. A click on one that has an order sorts by it, and a second turns it round. */
export function TableHead({ view: { order }, metrics, onOrder }: TableHeadProps) {
  const by = (name: string, field: JobOrderField, className?: string, metric?: string) => (
    <OrderedHead name={name} by={{ field, ...(metric !== undefined && { metric }) }} order={order} class={className} onOrder={onOrder} />
  );
  return (
    <>
      <colgroup>
        <col class="check" />
        <col class="status" />
        <col />
        <col class="labels wide" />
        <col class="owner wide" />
        <col class="device wide" />
        {metrics.map((name) => (
          <col key={name} class="metric" />
        ))}
        {metrics.length > 0 && <col class="curve wide" />}
        <col class="ran wide" />
        <col class="created" />
      </colgroup>
      <thead>
        <tr aria-rowindex={1}>
          <th scope="col">
            <span class="unseen">Selected</span>
          </th>
          <th scope="col">Status</th>
          {by('Name', 'NAME')}
          <th scope="col" class="wide">
            Labels
          </th>
          <th scope="col" class="wide">
            Owner
          </th>
          <th scope="col" class="wide">
            Device
          </th>
          {metrics.map((name) => by(name, 'METRIC', 'right', name))}
          {metrics.length > 0 && (
            <th scope="col" class="wide">
              <span class="unseen">Curve of {metrics[0]}</span>
            </th>
          )}
          {by('Ran', 'DURATION', 'right wide')}
          {by('Created', 'CREATED_AT', 'right')}
        </tr>
      </thead>
    </>
  );
}

interface OrderedHeadProps {
  readonly name: string;
  readonly by: Omit<Order, 'direction'>;
  readonly order: Order;
  readonly class: string | undefined;
  onOrder(order: Order): void;
}

function OrderedHead({ name, by, order, class: className, onOrder }: OrderedHeadProps) {
  const isOn = by.field === order.field && by.metric === order.metric;
  const isUp = order.direction === 'ASC';
  // What people want first: names from A, everything else from the newest or highest.
  const direction = isOn ? (isUp ? 'DESC' : 'ASC') : by.field === 'NAME' ? 'ASC' : 'DESC';
  return (
    <th scope="col" class={className} aria-sort={isOn ? (isUp ? 'ascending' : 'descending') : undefined}>
      <button type="button" class="plain" title={`Sort by ${name}`} onClick={() => onOrder({ ...by, direction })}>
        <span class="ellipsis">{name}</span>
        <span aria-hidden="true">{isOn ? (isUp ? ' ▴' : ' ▾') : ''}</span>
      </button>
    </th>
  );
}
