import { unwrap } from '../../client/errors.ts';
import { type DeviceFieldsFragment, type DeviceFilter, DevicesDocument, InviteDeviceDocument } from '../../client/generated.ts';
import { type Command, jsonFlag } from '../command.ts';
import { resolveProjectId } from '../input/project.ts';
import { exitCodes, print, printJson } from '../io.ts';
import { formatAge, formatLabels } from '../output/format.ts';
import { type Column, printList } from '../output/table.ts';
import { readLimit, readPages } from '../pages.ts';
import { cleanName } from '../terminal.ts';

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

export const invite: Command = {
  name: 'devices invite',
  summary: 'Makes a link with which another machine joins as a device, once.',
  usage: '',
  argCount: [0, 0],
  flags: {
    project: {
      value: 'NAME',
      description: 'the only project that the device will serve, by name or id',
      defaultText: 'all that the key can see',
    },
    'expires-in-seconds': { value: 'N', description: 'how long the link is valid', defaultText: '3600' },
    ...jsonFlag,
  },
  notes:
    'On the other machine: trainyard agent --join LINK. The link has the address that this command uses: give --url if others see another one.',

  async run({ io, client, given, isJson }) {
    const project = given.text('project');
    const input = {
      ...(project !== undefined && { projectId: await resolveProjectId(client, project, io.signal) }),
      expiresInSeconds: given.number('expires-in-seconds'),
    };
    const { inviteDevice } = await client.request(InviteDeviceDocument, { input }, { signal: io.signal });
    const { apiKey, secret } = unwrap(inviteDevice);
    const link = `${client.target.url.replace(/\/+$/, '')}/#join=${secret}`;
    if (isJson) await printJson(io, { link, apiKey });
    else {
      const serves = apiKey.project === null ? 'all projects' : cleanName(apiKey.project.name);
      io.stderr.write(`For one device of ${serves}, once, until ${apiKey.expiresAt}. On its machine: trainyard agent --join LINK\n`);
      await print(io.stdout, `${link}\n`);
    }
    return exitCodes.succeeded;
  },
};
