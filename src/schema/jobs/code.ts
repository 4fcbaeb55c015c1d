/** The input of the code that travels with a job. */
import { builder } from '../core/builder.ts';

const CodeArchiveInput = builder.inputType('CodeArchiveInput', {
  description:
    'An archive in the tar format (ustar or pax), not compressed. It has plain files only, with relative paths in UTF-8. A path that ' +
    'leads outside, a link, a device or a name that comes twice makes the step fail.',
  fields: (t) => ({
    fragmentId: t.id({ required: true, description: 'The archive: a READY file of the project.' }),
    commit: t.string({ description: 'The Git commit that the files are from: 40 or 64 hexadecimal digits.' }),
    branch: t.string({ description: 'The Git branch that was checked out. Needs `commit`.' }),
    isDirty: t.boolean({ description: 'Whether the files differ from the commit. Needs `commit`. Default: false.' }),
  }),
});

const CodeCloneInput = builder.inputType('CodeCloneInput', {
  description: "A state of the project's gitRepository.",
  fields: (t) => ({
    ref: t.string({ description: 'A branch, a tag or a commit, as the server of the repository accepts it. Default: its default branch.' }),
  }),
});

export const JobCodeInput = builder.inputType('JobCodeInput', {
  description: 'Where the code of a job comes from.',
  isOneOf: true,
  fields: (t) => ({
    git: t.field({
      type: CodeCloneInput,
      description:
        "A clone of the project's gitRepository, made by the agent of each step where it has git. All steps get the same commit.",
    }),
    archive: t.field({ type: CodeArchiveInput, description: 'An archive that was uploaded before.' }),
  }),
});
