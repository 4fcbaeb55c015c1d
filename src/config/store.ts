import { DEFAULT_CONNECTIONS } from '../store/postgres/session.ts';
import { flagAlone, optionalText, text, whole } from './kinds.ts';
import type { Settings } from './setting.ts';

export const store = {
  dataDir: text({
    name: 'data-dir',
    text: 'the SQLite file and the fragments',
    byDefault: './data',
    placeholder: 'DIR',
    pattern: /./,
    takes: 'a folder',
    isCommon: true,
  }),
  databaseUrl: optionalText({
    name: 'database-url',
    text: 'a PostgreSQL instead of the SQLite file; better given in the environment, since it may hold a password',
    placeholder: 'URL',
    pattern: /^postgres(ql)?:\/\/./,
    takes: 'a URL that starts with postgres://',
    isCommon: true,
    isSecret: true,
  }),
  databaseConnections: whole({
    name: 'database-connections',
    text: "connections to PostgreSQL that each gateway opens at most, and one more by which gateways wake one another; all of them together stay below the server's max_connections",
    byDefault: DEFAULT_CONNECTIONS,
    atLeast: 2,
    atMost: 1_000,
  }),
  newIdentity: flagAlone({
    name: 'new-identity',
    text: 'for one start, after an older copy of the database was put back by hand: cursors that were given for what it lacks are refused, and do not skip what comes in its place',
    byDefault: false,
  }),
} as const satisfies Settings;
