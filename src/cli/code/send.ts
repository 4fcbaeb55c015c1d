import { RequestRefused, unwrap } from '../../client/errors.ts';
import { CreateFragmentDocument, GatewayLimitsDocument, type JobCodeInput } from '../../client/generated.ts';
import { uploadFile } from '../../client/node/files.ts';
import type { Context } from '../command.ts';
import { describeGit, formatBytes } from '../output/format.ts';
import { Screen } from '../output/screen.ts';
import { cleanName } from '../terminal.ts';
import { type PackedCode, packCode } from './folder.ts';

/** For a gateway that does not say it. */
const USUAL_BYTES = 100_000_000;

/** Packs a folder and stores it in the project, unless the project has the same archive already. */
export async function sendCode(context: Context, folder: string, projectId: string): Promise<JobCodeInput> {
  const { client, io } = context;
  const { gateway } = await client.request(GatewayLimitsDocument, {}, { signal: io.signal });
  const { codeBytesAtMost } = gateway.limits;
  const packed = await packCode(folder, typeof codeBytesAtMost === 'number' ? codeBytesAtMost : USUAL_BYTES, io.signal);
  try {
    const { fragmentId, isNew } = await store(context, packed, projectId);
    const { fileCount, sizeBytes, sha256, git } = packed;
    const what = `${fileCount} ${fileCount === 1 ? 'file' : 'files'}, ${formatBytes(sizeBytes)}, ${sha256.slice(0, 12)}`;
    const state = git === null ? '' : `, ${describeGit(git)}`;
    io.stderr.write(`-- code: ${cleanName(`${what}${state}`)}${isNew ? '' : '; not sent, the project has it'} --\n`);
    return { archive: { fragmentId, ...git } };
  } finally {
    await packed.remove();
  }
}

async function store({ client, io, target }: Context, { path, sizeBytes, sha256 }: PackedCode, projectId: string) {
  const announce = async () => {
    const input = {
      projectId,
      // The name is the hash, so there is one file for each state of a folder.
      filename: `code/${sha256}.tar`,
      ifExists: 'REUSE' as const,
      type: 'DATA' as const,
      contentType: 'application/x-tar',
      sizeBytes,
      sha256,
    };
    return unwrap((await client.request(CreateFragmentDocument, { input }, { signal: io.signal })).createFragment);
  };
  const { fragment, uploadUrl } = await announce();
  if (uploadUrl === null) return { fragmentId: fragment.id, isNew: false };
  const screen = new Screen(io);
  try {
    const onProgress = (bytes: number) => screen.progress(`code: ${formatBytes(bytes)} of ${formatBytes(sizeBytes)}`);
    await uploadFile(target, uploadUrl, path, { signal: io.signal, onProgress });
  } catch (error) {
    // Somebody else has uploaded the same archive meanwhile.
    if (!(error instanceof RequestRefused) || (await announce()).uploadUrl !== null) throw error;
  } finally {
    screen.progress('');
  }
  return { fragmentId: fragment.id, isNew: true };
}
