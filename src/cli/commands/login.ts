/** `trainyard login` and `logout`: the keys that the commands of this user find from anywhere. */
import { ViewerDocument } from '../../client/generated.ts';
import { createRequester } from '../../client/request.ts';
import type { Command } from '../command.ts';
import { credentialsPath, gatewayKey, readCredentials, writeCredentials } from '../credentials.ts';
import { parseLink } from '../input/link.ts';
import { readSecret } from '../input/secret.ts';
import { exitCodes, print, UsageError } from '../io.ts';
import { cleanName } from '../terminal.ts';

export const login: Command = {
  name: 'login',
  summary: 'Keeps a key for a gateway, so that commands find it from any folder.',
  usage: 'URL | LINK',
  argCount: [1, 1],
  flags: {},
  notes: `A link that a gateway printed has the key in it. For a URL, the key is asked for, or read from standard input. The gateway has to
accept it. It is kept in ~/.config/trainyard/credentials.json, which only you can read, and is the default from then on.`,

  async run({ io, args }) {
    const { url, secret } = parseLink(args[0] ?? '', 'key');
    const token = secret ?? (await readSecret(io, `Key for ${url}: `));
    if (token === '') throw new UsageError('There is no key: give one on standard input, or a link with the key in it.');
    const { viewer } = await createRequester({ url, token }).request(ViewerDocument, {}, { signal: io.signal });
    const { gateways } = await readCredentials(io.env);
    const projectId = viewer.project?.id;
    const entry = { token, ...(projectId !== undefined && { projectId }) };
    await writeCredentials(io.env, { default: url, gateways: new Map([...gateways, [url, entry]]) });
    const rights = [viewer.role, viewer.project && `project ${viewer.project.name}`].filter((part) => part !== null);
    await print(
      io.stdout,
      `Signed in to ${url} as ${cleanName([viewer.name, ...rights].join(', '))}. The key is in ${credentialsPath(io.env)}.\n`,
    );
    return exitCodes.succeeded;
  },
};

export const logout: Command = {
  name: 'logout',
  summary: 'Forgets the key for a gateway. The key itself stays valid: see keys revoke.',
  usage: '[URL]',
  argCount: [0, 1],
  flags: {},

  async run({ io, args }) {
    const kept = await readCredentials(io.env);
    const given = args[0];
    const url = given === undefined ? kept.default : gatewayKey(parseLink(given, 'key').url);
    if (url === null || !kept.gateways.has(url)) {
      const known = [...kept.gateways.keys()].map((each) => `\n  ${cleanName(each)}`).join('');
      throw new UsageError(
        `No key is kept for ${url === null ? 'a gateway' : cleanName(url)}.${known === '' ? '' : ` There are keys for:${known}`}`,
      );
    }
    const gateways = new Map([...kept.gateways].filter(([each]) => each !== url));
    await writeCredentials(io.env, { default: kept.default === url ? null : kept.default, gateways });
    await print(io.stdout, `The key for ${cleanName(url)} is forgotten.\n`);
    return exitCodes.succeeded;
  },
};
