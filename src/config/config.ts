import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { explainFlag } from '../text/flag-problems.ts';
import type { Setting } from './setting.ts';
import { variableOf } from './setting.ts';
import { type Config, topics } from './settings.ts';

/** The settings are invalid: one line for each problem. */
export class ConfigError extends Error {}

export type GatewayCommand = 'up' | 'serve';
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings. A flag overrides the environment; an empty variable counts as unset, unless
 * the setting refuses it. Throws ConfigError with every problem.
 */
export function readConfig(command: GatewayCommand, argv: readonly string[], env: Environment): Config {
  const flags = parseFlags(command, argv);
  const wrong: string[] = [];
  const read = (setting: Setting): unknown => {
    const flag = setting.hasNoFlag ? undefined : flags[setting.name];
    const plain = flag ?? readVariable(setting, env);
    const file = setting.isSecret ? (flags[`${setting.name}-file`] ?? (env[`${variableOf(setting)}_FILE`] || undefined)) : undefined;
    if (plain !== undefined && file !== undefined) wrong.push(`${variableOf(setting)} and its file are both set. Set one of them.`);
    const said = file === undefined ? plain : readSecret(setting, file, wrong);
    if (said === undefined) return setting.byDefault;
    // Something was meant to be given: empty is not "none".
    const isMissing = said === '' && setting.byDefault === null;
    const value = isMissing ? undefined : setting.read(said);
    if (value === undefined) {
      const name = flag === undefined ? variableOf(setting) : `--${setting.name}`;
      wrong.push(`${name} must be ${setting.takes}${setting.isSecret ? '' : `, not ${JSON.stringify(said)}`}.`);
    }
    return value;
  };
  const readTopic = (settings: Readonly<Record<string, Setting>>) =>
    Object.fromEntries(Object.entries(settings).map(([key, setting]) => [key, read(setting)]));
  // Built from the table's keys and the settings' values. If one is invalid, it is thrown away.
  const config = Object.fromEntries(Object.entries(topics).map(([topic, { settings }]) => [topic, readTopic(settings)])) as Config;
  const { isolate, isolateUser } = config.local;
  if (isolateUser != null && !isolate) wrong.push('--isolate-user needs --isolate.');
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return config;
}

function readVariable(setting: Setting, env: Environment): string | undefined {
  const said = setting.hasNoVariable ? undefined : env[variableOf(setting)];
  return said === '' && !setting.refusesEmpty ? undefined : said;
}

/** The first line of a secret's file. Undefined if it cannot be read. */
function readSecret(setting: Setting, path: string, wrong: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0];
  } catch (error) {
    wrong.push(`The file for ${variableOf(setting)} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** The settings of a topic that a command has. */
export function settingsOf(command: GatewayCommand, topic: keyof Config): Setting[] {
  return Object.values<Setting>(topics[topic].settings).filter(({ isLocal }) => !isLocal || command === 'up');
}

function parseFlags(command: GatewayCommand, argv: readonly string[]): Environment {
  const all = (Object.keys(topics) as (keyof Config)[]).flatMap((topic) => settingsOf(command, topic)); // the keys of `topics`
  const flags = Object.fromEntries([
    ...all.filter(({ hasNoFlag }) => !hasNoFlag).map(({ name, placeholder }) => [name, { value: placeholder || undefined }] as const),
    ...all.filter(({ isSecret }) => isSecret).map(({ name }) => [`${name}-file`, { value: 'FILE' }] as const),
  ]);
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) => [name, { type: value === undefined ? ('boolean' as const) : ('string' as const) }]),
  );
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false });
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value === true ? 'on' : String(value)]));
  } catch (error) {
    const problem = explainFlag(flags, error instanceof Error ? error.message : String(error));
    throw new ConfigError(`${problem}\nSee trainyard ${command} --help.`);
  }
}
