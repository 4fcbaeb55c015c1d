/** The settings of a gateway: environment and flags, checked once, each with its default and the reason for it. */
import { parseArgs } from 'node:util';

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  /** postgres://…; null is SQLite in the data folder. */
  readonly databaseUrl: string | null;
  /** A key that the operator chose; null: one is made on the first start. */
  readonly adminKey: string | null;
  /** Other origins whose pages may call the gateway. */
  readonly origins: readonly string[];
  /** Of `up`: how many steps its agent runs at the same time; 0 starts no agent. */
  readonly slots: number;
  /** Whether the gateway averages the models of federated rounds itself. */
  readonly aggregator: boolean;
}

interface Setting {
  readonly flag?: string;
  readonly env: string;
  readonly value: string;
  readonly byDefault: string;
  readonly text: string;
  readonly onlyUp?: true;
}

const settings = {
  host: {
    flag: 'host',
    env: 'TRAINYARD_HOST',
    value: 'ADDRESS',
    byDefault: '127.0.0.1',
    text: 'where to listen; this machine alone by default',
  },
  port: { flag: 'port', env: 'TRAINYARD_PORT', value: 'N', byDefault: '4000', text: '0 picks a free one; the address is printed' },
  dataDir: { flag: 'data-dir', env: 'TRAINYARD_DATA_DIR', value: 'DIR', byDefault: './data', text: 'the SQLite file and the fragments' },
  databaseUrl: { flag: 'database-url', env: 'TRAINYARD_DATABASE_URL', value: 'URL', byDefault: '', text: 'postgres://… instead of SQLite' },
  origins: {
    flag: 'origins',
    env: 'TRAINYARD_ORIGINS',
    value: 'LIST',
    byDefault: '',
    text: 'other web origins that may call it, separated by commas',
  },
  slots: {
    flag: 'slots',
    env: 'TRAINYARD_SLOTS',
    value: 'N',
    byDefault: '1',
    text: 'steps that its agent runs at once; 0 starts no agent',
    onlyUp: true,
  },
  aggregator: {
    flag: 'aggregator',
    env: 'TRAINYARD_AGGREGATOR',
    value: 'on|off',
    byDefault: 'on',
    text: 'averages the models of federated rounds itself; off leaves that to other gateways on its database',
  },
  adminKey: {
    env: 'TRAINYARD_ADMIN_KEY',
    value: 'KEY',
    byDefault: '',
    text: 'an admin key to accept; else one is made on the first start',
  },
} as const satisfies Record<string, Setting>;

/** What the operator said is not a setting: one line for each thing that is wrong. */
export class ConfigError extends Error {}

export type GatewayCommand = 'up' | 'serve';

/** Reads the settings; a flag wins over the environment. Throws ConfigError. */
export function readConfig(command: GatewayCommand, argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const flags = parseFlags(command, argv);
  const wrong: string[] = [];
  const read = (setting: Setting): string => {
    const flag = setting.flag ? flags[setting.flag] : undefined;
    return flag ?? (env[setting.env] || setting.byDefault);
  };
  const named = ({ flag, env: name }: Setting) => (flag && flags[flag] !== undefined ? `--${flag}` : name);
  const whole = (setting: Setting, atMost: number): number => {
    const text = read(setting);
    const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    if (!(number <= atMost)) wrong.push(`${named(setting)} must be a whole number from 0 to ${atMost}, not ${JSON.stringify(text)}.`);
    return number;
  };
  const port = whole(settings.port, 65_535);
  const slots = whole(settings.slots, 1_000);
  const databaseUrl = read(settings.databaseUrl);
  if (databaseUrl !== '' && !/^postgres(ql)?:\/\/./.test(databaseUrl))
    wrong.push(`${named(settings.databaseUrl)} must start with postgres://.`);
  const adminKey = read(settings.adminKey);
  if (adminKey !== '' && !/^\S{16,512}$/.test(adminKey))
    wrong.push(`${named(settings.adminKey)} must have 16 to 512 characters and no spaces.`);
  const origins = read(settings.origins)
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '');
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      wrong.push(`${named(settings.origins)}: ${JSON.stringify(origin)} is no origin, such as https://example.com.`);
  }
  const aggregator = read(settings.aggregator);
  if (aggregator !== 'on' && aggregator !== 'off')
    wrong.push(`${named(settings.aggregator)} must be on or off, not ${JSON.stringify(aggregator)}.`);
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'));
  return {
    host: read(settings.host),
    port,
    dataDir: read(settings.dataDir),
    databaseUrl: databaseUrl === '' ? null : databaseUrl,
    adminKey: adminKey === '' ? null : adminKey,
    origins,
    slots,
    aggregator: aggregator === 'on',
  };
}

function parseFlags(command: GatewayCommand, argv: readonly string[]): Readonly<Record<string, string | undefined>> {
  const options = Object.fromEntries(flagsOf(command).map((flag) => [flag, { type: 'string' as const }]));
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values as Record<string, string | undefined>; // all are strings
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}\nSee trainyard ${command} --help.`);
  }
}

const settingsOf = (command: GatewayCommand): Setting[] =>
  Object.values<Setting>(settings).filter(({ onlyUp }) => !onlyUp || command === 'up');
const flagsOf = (command: GatewayCommand): string[] => settingsOf(command).flatMap(({ flag }) => flag ?? []);

/** What `--help` shows. */
export function describeConfig(command: GatewayCommand): string {
  const summary = {
    up: 'Starts a gateway and an agent on this machine, so that jobs run at once.',
    serve: 'Starts a gateway alone; devices come from elsewhere.',
  }[command];
  const lines = settingsOf(command).map(({ flag, env, value, byDefault, text }) => {
    const name = flag ? `--${flag} ${value}` : '';
    return `  ${name.padEnd(22)}${env.padEnd(25)}${text}${byDefault === '' ? '' : ` (default ${byDefault})`}`;
  });
  return `${summary}\n\nUsage: trainyard ${command} [flags]\n\n  ${'flag'.padEnd(22)}${'environment'.padEnd(25)}\n${lines.join('\n')}\n`;
}
