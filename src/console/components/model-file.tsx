import { formatBytes } from '../format/numbers.ts';
import type { ModelFileFieldsFragment } from '../generated.ts';
import { Id } from './copy.tsx';
import { Ago } from './time.tsx';

/** A file with a model: how large it is, and what made it. */
export function ModelFile({
  file: { filename, sizeBytes, sha256, downloadUrl, createdAt, job },
}: {
  readonly file: ModelFileFieldsFragment;
}) {
  return (
    <dl class="pairs">
      <dt>File</dt>
      <dd>
        {downloadUrl ? (
          <a class="link" href={downloadUrl} download={filename}>
            {filename}
          </a>
        ) : (
          filename
        )}
        {sizeBytes !== null && <span class="muted"> {formatBytes(sizeBytes)}</span>}
      </dd>
      {sha256 && (
        <>
          <dt>SHA-256</dt>
          <dd>
            <Id id={sha256} />
          </dd>
        </>
      )}
      <dt>Made</dt>
      <dd>
        <Ago at={createdAt} />
        {job && (
          <>
            {' '}
            by <a href={`/jobs/${job.id}/files`}>{job.name}</a>
          </>
        )}
      </dd>
    </dl>
  );
}
