import { type GatewayCommand, settingsOf } from './config.ts';
import { type Setting, variableOf } from './setting.ts';
import { type Config, topics } from './settings.ts';

const summaries: Readonly<Record<GatewayCommand, string>> = {
  up: 'Starts a gateway and an agent on this machine.',
  serve: 'Starts a gateway without an agent.',
};

/** The text of `--help`, with the common settings, and of `--help-all`, with all of them. */
export function describeConfig(command: GatewayCommand, isAll: boolean): string {
  const parts = (Object.keys(topics) as (keyof Config)[]).flatMap((topic) => {
    const settings = settingsOf(command, topic).filter(({ isCommon }) => isAll || isCommon);
    if (settings.length === 0) return [];
    return [...(isAll ? ['', `${topics[topic].title}:`] : []), ...settings.map(describe)];
  });
  const head = `  ${'flag'.padEnd(FLAG)}${'environment'.padEnd(VARIABLE)}`;
  const more = isAll
    ? 'Sizes are written like 64KiB, 1MB or 5GB, durations like 500ms, 30s, 10m, 1h or 7d.'
    : `All settings: trainyard ${command} --help-all`;
  return `${summaries[command]}\n\nUsage: trainyard ${command} [flags]\n\n${head}\n${parts.join('\n')}\n\n${more}\n`;
}

const FLAG = 36;
const VARIABLE = 36;

function describe(setting: Setting): string {
  const flag = setting.hasNoFlag ? '' : `--${setting.name} ${setting.placeholder}`;
  const variable = setting.hasNoVariable ? '' : variableOf(setting);
  const byDefault = setting.write(setting.byDefault);
  const note = byDefault === '' ? '' : ` (default ${byDefault})`;
  return `  ${flag.padEnd(FLAG)}${variable.padEnd(VARIABLE)}${setting.text}${note}`;
}
