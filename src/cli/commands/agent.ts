import { hostname } from 'node:os';
import { type Command, jsonFlag } from '../command.ts';
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
      description: "the device's name; the same name takes the same device over",
      defaultText: `this host's: ${hostname()}`,
    },
    project: { value: 'NAME', description: 'only run steps of this project, by name or id', defaultText: 'of all that the key sees' },
    label: { value: 'KEY=VALUE', isRepeatable: true, description: 'what steps may require of a device' },
    slots: { value: 'N', description: 'how many steps to run at the same time', defaultText: '1' },
    'work-dir': {
      value: 'DIR',
      description: 'for working folders and what is not delivered yet; of one agent alone',
      defaultText: '~/.trainyard/agent-NAME',
    },
    'lease-seconds': { value: 'N', description: 'after how long a step is taken from an agent that is gone', defaultText: '60' },
    'grace-seconds': { value: 'N', description: 'from SIGTERM to SIGKILL, for a step that is to stop', defaultText: '10' },
    'on-stop': { value: 'WHAT', description: 'finish or release the steps that it holds when it is told to stop', defaultText: 'release' },
    isolate: { description: 'run process steps as users without rights, each with processes and a /tmp of its own (Linux, as root)' },
    'isolate-user': { value: 'USER', description: 'the user that isolated steps run as', defaultText: 'each another one, without a name' },
    ...jsonFlag,
  },
  notes:
    'It needs a key that may register a device, once: the device gets a key of its own, which is kept in --work-dir and used from then on.\n' +
    'Ctrl-C or SIGTERM tells it to stop: it claims nothing more, and finishes or gives back what it holds. With --json, each event is a line.',

  async run({ io, client, given, target, isJson }) {
    const slots = given.integer('slots');
    if (slots !== undefined && slots < 1) throw new UsageError(`--slots takes a whole number from 1 on, not ${slots}.`);
    const stopMode = given.choice('on-stop', ['FINISH', 'RELEASE']) === 'FINISH' ? 'finish' : 'release';
    const user = given.text('isolate-user');
    if (user !== undefined && !given.has('isolate')) throw new UsageError('--isolate-user is for --isolate, which is not given.');
    const project = given.text('project');
    const projectId = project === undefined ? undefined : await resolveProjectId(client, project, io.signal);
    // Only who runs an agent loads it.
    const { runAgent } = await import('../../agent/agent.ts');
    return runAgent({
      url: target.url,
      token: target.token,
      projectId,
      name: given.text('name'),
      labels: given.pairs('label'),
      slots,
      workDir: given.text('work-dir'),
      leaseSeconds: given.number('lease-seconds'),
      graceSeconds: given.number('grace-seconds'),
      isolate: given.has('isolate') ? { user } : undefined,
      stop: io.signal,
      stopMode,
      onEvent: (event) => (isJson ? io.stdout.write(`${JSON.stringify(event)}\n`) : io.stderr.write(`${cleanName(event.message)}\n`)),
    });
  },
};
