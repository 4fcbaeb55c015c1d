/** The files of the job, with a preview of those that can be shown. */
import { useSignal } from '@preact/signals';
import { Fragment } from 'preact';
import { useEffect } from 'preact/hooks';
import { Id } from '../../components/copy.tsx';
import { Empty, Problem, Skeleton } from '../../components/panel.tsx';
import { Preview } from '../../components/preview.tsx';
import { wordOf } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { formatBytes } from '../../format/numbers.ts';
import { JobFilesDocument } from '../../generated.ts';
import { useQuery } from '../../streams/query.ts';
import type { LiveJob } from './job.tsx';

export function FilesTab({ job }: { readonly job: LiveJob }) {
  const { data, error, refresh } = useQuery(JobFilesDocument, { id: job.id, after: null });
  const opened = useSignal<string | null>(null);
  useEffect(refresh, [job.updatedAt, refresh]);
  if (error.value) return <Problem error={error.value} onRetry={refresh} />;
  if (!data.value?.job) return <Skeleton rows={4} />;
  const { nodes, totalCount } = data.value.job.fragments;
  if (nodes.length === 0)
    return (
      <Empty>
        No files. A step hands in what it writes into the folder <code>$TRAINYARD_FRAGMENTS</code>.
      </Empty>
    );
  return (
    <>
      <table class="files">
        <thead>
          <tr>
            <th>File</th>
            <th>Kind</th>
            <th class="wide">Step</th>
            <th class="right">Size</th>
            <th class="wide">SHA-256</th>
            <th class="right wide">Written</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {nodes.map((file) => (
            <Fragment key={file.id}>
              <tr aria-selected={opened.value === file.id}>
                <td>
                  <button
                    type="button"
                    class="plain"
                    aria-expanded={opened.value === file.id}
                    onClick={() => {
                      opened.value = opened.value === file.id ? null : file.id;
                    }}
                  >
                    {opened.value === file.id ? '▾' : '▸'} {file.filename}
                  </button>
                </td>
                <td class="muted">{file.status === 'PENDING' ? 'being written' : wordOf(file.type).toLowerCase()}</td>
                <td class="wide muted">{file.step?.name}</td>
                <td class="right mono">{file.sizeBytes === null ? '–' : formatBytes(file.sizeBytes)}</td>
                <td class="wide">{file.sha256 && <Id id={file.sha256} />}</td>
                <td class="right wide">
                  <Ago at={file.createdAt} />
                </td>
                <td class="right">
                  {file.downloadUrl && (
                    <a href={file.downloadUrl} download={file.filename}>
                      Download
                    </a>
                  )}
                </td>
              </tr>
              {opened.value === file.id && (
                <tr>
                  <td colSpan={7} class="preview">
                    <Preview file={file} />
                  </td>
                </tr>
              )}
            </Fragment>
          ))}
        </tbody>
      </table>
      {totalCount > nodes.length && (
        <p class="muted">
          The first {nodes.length} of {totalCount} files.
        </p>
      )}
    </>
  );
}
