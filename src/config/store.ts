import { DEFAULT_CONNECTIONS } from '../store/postgres/session.ts';
import { flagAlone, optionalText, text, whole } from './kinds.ts';
import type { Settings } from './setting.ts';

export const store = {
  dataDir: text({
    name: 'data-dir',
    text: 'folder of the SQLite file and the fragments',
    byDefault: './data',
    placeholder: 'DIR',
    pattern: /./,
    takes: 'a folder',
    isCommon: true,
  }),
  databaseUrl: optionalText({
    name: 'database-url',
    text: 'a PostgreSQL database instead of the SQLite file; prefer the environment, because the URL may contain a password',
    placeholder: 'URL',
    pattern: /^postgres(ql)?:\/\/./,
    takes: 'a URL that starts with postgres://',
    isCommon: true,
    isSecret: true,
  }),
  databaseConnections: whole({
    name: 'database-connections',
    text: "the most connections to PostgreSQL of each gateway, plus two by which gateways wake each other and elect one; together they must stay below the server's max_connections",
    byDefault: DEFAULT_CONNECTIONS,
    atLeast: 2,
    atMost: 1_000,
  }),
  newIdentity: flagAlone({
    name: 'new-identity',
    text: 'for one start, after an older copy of the database was restored by hand: cursors beyond that copy are refused, so they do not skip what comes in its place',
    byDefault: false,
  }),
} as const satisfies Settings;
