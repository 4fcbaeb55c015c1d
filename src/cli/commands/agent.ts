import { hostname } from 'node:os';
import type { Target } from '../../client/target.ts';
import { type Command, jsonFlag } from '../command.ts';
import type { Given } from '../input/flags.ts';
import { parseLink } from '../input/link.ts';
import { resolveProjectId } from '../input/project.ts';
import { UsageError } from '../io.ts';
import { cleanName } from '../terminal.ts';

export const agent: Command = {
  name: 'agent',
  summary: 'Runs steps on this machine: registers it as a device and claims what it can run.',
  usage: '',
  argCount: [0, 0],
  flags: {
    name: {
      value: 'NAME',
      description: "the device's name; a name that exists takes over that device",
      defaultText: `the host name, ${hostname()}`,
    },
    join: {
      value: 'LINK',
      description: 'a link of trainyard devices invite: makes this machine a device, once; no key is needed',
    },
    project: { value: 'NAME', description: 'only run steps of this project, by name or id', defaultText: 'all that the key can see' },
    label: { value: 'KEY=VALUE', isRepeatable: true, description: 'a label that steps may require' },
    slots: { value: 'N', description: 'how many steps to run at the same time', defaultText: '1' },
    'work-dir': {
      value: 'DIR',
      description: 'folder for work folders and undelivered reports; for one agent alone',
      defaultText: '~/.trainyard/agent-NAME',
    },
    'lease-seconds': { value: 'N', description: 'time until a step is taken from an agent that is gone', defaultText: '60' },
    'grace-seconds': { value: 'N', description: 'time from SIGTERM to SIGKILL when a step is stopped', defaultText: '10' },
    'git-protocols': {
      value: 'LIST',
      description: 'from where it clones the repositories of projects; with file, a job can read those on this machine',
      defaultText: 'https,http,ssh,git',
    },
    'on-stop': { value: 'WHAT', description: 'finish or release held steps on Ctrl-C or SIGTERM', defaultText: 'release' },
    isolate: { description: 'run each process step as an unprivileged user, with its own processes and /tmp (Linux, as root)' },
    'isolate-user': {
      value: 'USER',
      description: 'the user that isolated steps run as',
      defaultText: 'a different unnamed user for each step',
    },
    ...jsonFlag,
  },
  notes:
    'The first start needs a key that may register a device, or a join link. The device then gets its own key, kept in --work-dir and used from then on.\n' +
    'On Ctrl-C or SIGTERM the agent claims no more steps, and finishes or releases those it holds. With --json, each event is a line.',

  async run({ io, client, given, target: found, isJson }) {
    const link = given.text('join');
    const { target, joinSecret } = link === undefined ? { target: found, joinSecret: undefined } : readJoinLink(link, given);
    const slots = given.integer('slots');
    if (slots !== undefined && slots < 1) throw new UsageError(`--slots takes a whole number of at least 1, not ${slots}.`);
    const stopMode = given.choice('on-stop', ['FINISH', 'RELEASE']) === 'FINISH' ? 'finish' : 'release';
    const user = given.text('isolate-user');
    if (user !== undefined && !given.has('isolate')) throw new UsageError('--isolate-user needs --isolate.');
    const project = given.text('project');
    const projectId = project === undefined ? undefined : await resolveProjectId(client, project, io.signal);
    // Loaded by this command only.
    const { runAgent } = await import('../../agent/agent.ts');
    return runAgent({
      url: target.url,
      token: target.token,
      joinSecret,
      projectId,
      name: given.text('name'),
      labels: given.pairs('label'),
      slots,
      workDir: given.text('work-dir'),
      leaseSeconds: given.number('lease-seconds'),
      graceSeconds: given.number('grace-seconds'),
      gitProtocols: given
        .text('git-protocols')
        ?.split(',')
        .map((each) => each.trim()),
      isolate: given.has('isolate') ? { user } : undefined,
      stop: io.signal,
      stopMode,
      onEvent: (event) => (isJson ? io.stdout.write(`${JSON.stringify(event)}\n`) : io.stderr.write(`${cleanName(event.message)}\n`)),
    });
  },
};

/** A join link names its gateway, and the project that the device will serve. */
function readJoinLink(link: string, given: Given): { target: Target; joinSecret: string } {
  const others = ['url', 'token', 'token-file', 'project'].filter((name) => given.has(name));
  if (others.length > 0) throw new UsageError(`Give --join without --${others.join(' and --')}: the link says where and for what.`);
  const { url, secret } = parseLink(link, 'join');
  if (secret === null) throw new UsageError(`${url} has no join link in it: make one with trainyard devices invite.`);
  return { target: { url }, joinSecret: secret };
}
