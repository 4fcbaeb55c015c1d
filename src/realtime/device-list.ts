/**
 * A live list of devices: those that it has, then what came into it, changed, or left it.
 *
 * It is read from the numbers of the devices' newest changes, and nothing is kept between two
 * reads. A device that has changed is looked up: it is in the list, or it may have left it.
 */
import type { Principal } from '../domain/access/principal.ts';
import { scopeOf } from '../domain/access/rights.ts';
import { hashOf } from '../domain/access/secrets.ts';
import { topics } from '../domain/core/change.ts';
import { decodePlace, encodeCursor, type StreamName } from '../domain/core/cursors.ts';
import type { Domain } from '../domain/core/domain.ts';
import { badRequest } from '../domain/core/request-refusals.ts';
import type { Waker } from '../domain/core/waker.ts';
import { onlineSince } from '../domain/steps/device-changes.ts';
import type { Optional } from '../store/optional.ts';
import { changedDevices, type DevicesOf, matchingDevices } from '../store/queries/devices.ts';
import { streamBounds } from '../store/queries/streams.ts';
import { deviceChanges } from '../store/schema/streams.ts';
import { type Batch, type Frame, frames } from './frames.ts';
import type { ListChange } from './job-list.ts';
import type { Pulled } from './pull.ts';

export type DeviceFilter = Omit<DevicesOf, 'onlineSince'>;

/** Changes read at a time: the devices are shown whole. */
const AT_ONCE = 100;

/** A position in the changes. Up to `until`, the list begins: what is not in it is not told. */
class Place {
  readonly seq: number;
  readonly until: number;
  constructor(seq: number, until: number) {
    this.seq = seq;
    this.until = until;
  }
  get rest(): string {
    return this.seq < this.until ? String(this.until) : '';
  }
  toString(): string {
    return `${this.seq}~${this.rest}`;
  }
}

/** The frames of a live list. Throws BAD_REQUEST for a cursor that is not of this list. */
export async function deviceList(
  domain: Domain,
  wakeups: Waker,
  principal: Principal,
  { filter, after }: { readonly filter: DeviceFilter; readonly after?: Optional<string> },
): Promise<Pulled<Frame<ListChange>>> {
  const name = hashOf(JSON.stringify([filter, scopeOf(principal)])).slice(0, 16);
  const stream: StreamName = { kind: 'devices', jobId: name };
  return frames<ListChange, Place>(
    domain,
    wakeups,
    {
      cursorOf: ({ seq, rest }) => encodeCursor(domain, { ...stream, seq, rest }),
      name: `devices ${name}`,
      topics: [topics.devices],
      rowsAtMost: AT_ONCE,
      read: (place, rows) => readChanges(domain, filter, place, rows),
    },
    await startOf(domain, stream, after),
  );
}

async function startOf(domain: Domain, stream: StreamName, after: Optional<string>): Promise<Place> {
  if (after == null) return new Place(0, await newestChange(domain));
  const { seq, rest } = await decodePlace(domain, after, stream);
  if (!/^\d*$/.test(rest)) throw badRequest.foreignStreamCursor('after');
  return new Place(seq, Number(rest));
}

async function newestChange({ store }: Domain): Promise<number> {
  const [bounds] = await store.read.run(streamBounds, { jobId: deviceChanges, kind: 'event' });
  return bounds?.last ?? 0;
}

async function readChanges(domain: Domain, filter: DeviceFilter, place: Place, rows: number): Promise<Batch<ListChange, Place>> {
  const { read } = domain.store;
  // Read first: a device that changes meanwhile has a later number, and is read then.
  const last = await newestChange(domain);
  const found = await changedDevices(read, { after: place.seq, upTo: last, projectId: filter.projectId, limit: rows + 1 });
  const changed = found.slice(0, rows);
  const ids = changed.map(({ deviceId }) => deviceId);
  const listed = await matchingDevices(read, { ...filter, onlineSince: onlineSince(domain) }, ids);
  const hasMore = found.length > rows;
  const told = changed.filter(({ deviceId, number }) => listed.has(deviceId) || number > place.until);
  return {
    rows: told.map(({ deviceId: id }) => ({ id, isListed: listed.has(id) })),
    read: changed.length,
    upTo: new Place(hasMore ? (changed.at(-1)?.number ?? last) : last, place.until),
    hasMore,
    missed: 0,
    isOver: false,
  };
}
