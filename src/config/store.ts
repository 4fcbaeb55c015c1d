import { optionalText, text } from './kinds.ts';
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
} as const satisfies Settings;
