import { list, optionalText, text, whole } from './kinds.ts';
import type { Settings } from './setting.ts';

export const network = {
  host: text({
    name: 'host',
    text: 'where to listen; this machine alone by default',
    byDefault: '127.0.0.1',
    placeholder: 'ADDRESS',
    pattern: /^\S+$/,
    takes: 'an address or a name of this machine',
    isCommon: true,
  }),
  port: whole({
    name: 'port',
    text: '0 picks a free one; the address is printed',
    byDefault: 4_000,
    atLeast: 0,
    atMost: 65_535,
    isCommon: true,
  }),
  origins: list({
    name: 'origins',
    text: 'other web origins whose pages may call it, separated by commas',
    byDefault: [],
    placeholder: 'LIST',
    takes: 'origins, such as https://example.com, separated by commas',
    isEntry: (origin) => URL.canParse(origin) && new URL(origin).origin === origin,
    isCommon: true,
  }),
  documents: optionalText({
    name: 'documents',
    text: 'a file of trusted documents, as the tools of Apollo, Relay and graphql-codegen write them: no others are executed, but for those of agents and of the command line',
    placeholder: 'FILE',
    pattern: /\S/,
    takes: 'a file',
  }),
  adminKey: optionalText({
    name: 'admin-key',
    text: 'an admin key to accept; another than at the last start ends that one an hour later; without it, one is made on the first start',
    placeholder: 'KEY',
    pattern: /^\S{16,512}$/,
    takes: '16 to 512 characters without spaces',
    isCommon: true,
    isSecret: true,
    hasNoFlag: true,
  }),
} as const satisfies Settings;
