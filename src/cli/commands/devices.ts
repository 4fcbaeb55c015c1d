import { type DeviceFieldsFragment, type DeviceFilter, DevicesDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { resolveProjectId } from '../input/project.ts';
import { formatAge, formatLabels } from '../output/format.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';

const columns: readonly Column<DeviceFieldsFragment>[] = [
  { title: 'ID', value: (device) => device.id },
  { title: 'STATUS', value: (device) => device.status },
  { title: 'NAME', value: (device) => device.name, isFlexible: true },
  { title: 'KIND', value: (device) => device.kind },
  { title: 'SLOTS', value: (device) => String(device.slots), isNumber: true },
  { title: 'RESOURCES', value: (device) => formatResources(device.resources), isFlexible: true },
  { title: 'LABELS', value: (device) => formatLabels(device.labels), isFlexible: true },
  { title: 'SEEN', value: (device) => formatAge(device.lastSeenAt) },
];

export const devices: Command = {
  name: 'devices',
  summary: 'Lists the machines that run steps.',
  usage: '',
  argCount: [0, 0],
  flags: {
    project: { value: 'NAME', description: 'only this project, by name or id' },
    status: { value: 'STATUS', isRepeatable: true, description: 'ONLINE, OFFLINE, DRAINING' },
    kind: { value: 'KIND', isRepeatable: true, description: 'WORKER, EDGE' },
    label: { value: 'KEY=VALUE', isRepeatable: true, description: 'only with this label' },
    limit: { value: 'N', description: 'the most to show', defaultText: '100' },
    ...jsonFlag,
  },

  async run({ io, client, given, isJson }) {
    const [project, statuses, kinds] = [
      given.text('project'),
      given.choices('status', ['ONLINE', 'OFFLINE', 'DRAINING']),
      given.choices('kind', ['WORKER', 'EDGE']),
    ];
    const filter: DeviceFilter = {
      ...(project !== undefined && { projectId: await resolveProjectId(client, project, io.signal) }),
      ...(statuses.length > 0 && { statuses }),
      ...(kinds.length > 0 && { kinds }),
      ...(given.has('label') && { labels: given.pairs('label') }),
    };
    const found = await readPages(readLimit(given, 100), async (first, after) => {
      const page = await client.request(DevicesDocument, { filter, first, after }, { signal: io.signal });
      return page.devices;
    });
    return printList(io, isJson, columns, found, 'No devices.');
  },
};

function formatResources(resources: DeviceFieldsFragment['resources']): string {
  const { cpu, memoryMb, gpu, gpuModel } = resources;
  const parts = [cpu === null ? '' : `${cpu} cores`, memoryMb === null ? '' : `${memoryMb} MB`, gpu ? `${gpu} × ${gpuModel ?? 'GPU'}` : ''];
  return parts.filter((part) => part !== '').join(', ');
}
