import { list, optionalText, text, whole } from './kinds.ts';
import type { Settings } from './setting.ts';

export const network = {
  host: text({
    name: 'host',
    text: 'address to listen on; by default only this machine can connect',
    byDefault: '127.0.0.1',
    placeholder: 'ADDRESS',
    pattern: /^\S+$/,
    takes: 'an address or a name of this machine',
    isCommon: true,
  }),
  port: whole({
    name: 'port',
    text: 'port to listen on; 0 picks a free one, which is printed',
    byDefault: 4_000,
    atLeast: 0,
    atMost: 65_535,
    isCommon: true,
  }),
  origins: list({
    name: 'origins',
    text: 'other web origins whose pages may call the gateway, separated by commas',
    byDefault: [],
    placeholder: 'LIST',
    takes: 'origins, such as https://example.com, separated by commas',
    isEntry: (origin) => URL.canParse(origin) && new URL(origin).origin === origin,
    isCommon: true,
  }),
  documents: optionalText({
    name: 'documents',
    text: 'a file of trusted documents, as written by the tools of Apollo, Relay and graphql-codegen: only these are executed, and those of agents, the command line and the Python package',
    placeholder: 'FILE',
    pattern: /\S/,
    takes: 'a file',
    refusesEmpty: true,
  }),
  adminKey: optionalText({
    name: 'admin-key',
    text: 'an admin key to accept; the key of an earlier start ends an hour later; without this setting, the first start creates a key',
    placeholder: 'KEY',
    pattern: /^\S{16,512}$/,
    takes: '16 to 512 characters without spaces',
    isCommon: true,
    isSecret: true,
    hasNoFlag: true,
  }),
} as const satisfies Settings;
