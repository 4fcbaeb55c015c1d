import { hostname } from 'node:os';
import type { Command } from './command.ts';
import { UsageError } from './io.ts';
import { resolveProjectId } from './project.ts';

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
    slots: { value: 'N', description: 'how many steps to run at a time', defaultText: '1' },
    'work-dir': { value: 'DIR', description: 'where working folders and undelivered reports are kept', defaultText: 'in ./data/agent' },
  },
  notes: 'Ctrl-C or SIGTERM: claims nothing more and gives back what it holds.',

  async run({ io, client, given, target }) {
    const slots = given.integer('slots');
    if (slots !== undefined && slots < 1) throw new UsageError(`--slots takes a whole number from 1 on, not ${slots}.`);
    const project = given.text('project');
    // Only who runs an agent loads it.
    const { runAgent } = await import('../agent/agent.ts');
    return runAgent({
      url: target.url,
      token: target.token ?? '',
      ...(project !== undefined && { projectId: await resolveProjectId(client, project, io.signal) }),
      name: given.text('name') ?? hostname(),
      labels: given.pairs('label'),
      ...(slots !== undefined && { slots }),
      ...(given.has('work-dir') && { workDir: given.text('work-dir') }),
      log: (line) => void io.stderr.write(`${line}\n`),
      stop: io.signal,
      stopMode: 'release',
    });
  },
};
