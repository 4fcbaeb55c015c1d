/**
 * A look into a file: an image, a text, a table, or the tensors of a model. Nothing in a file is
 * executed: an image is read as bytes, everything else is text.
 */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatBytes, formatCount } from '../format/numbers.ts';
import { FilePreviewDocument } from '../generated.ts';
import { useQuery } from '../streams/query.ts';
import { Problem, Skeleton } from './panel.tsx';

interface PreviewProps {
  readonly file: {
    readonly id: string;
    readonly filename: string;
    readonly contentType: string;
    readonly sizeBytes: number | null;
    readonly downloadUrl: string | null;
  };
}

const IMAGE = /^image\/(png|jpeg|gif|webp)$/;
const MOST_IMAGE_BYTES = 20_000_000;
const SHOWN_ROWS = 100;
const SHOWN_TENSORS = 200;

export function Preview({ file }: PreviewProps) {
  const type = IMAGE.test(file.contentType) ? file.contentType : imageTypeOf(file.filename);
  if (type !== null && file.downloadUrl)
    return <Image url={file.downloadUrl} type={type} name={file.filename} bytes={file.sizeBytes ?? 0} />;
  return <Text id={file.id} name={file.filename} isModel={file.filename.endsWith('.safetensors')} />;
}

function imageTypeOf(filename: string): string | null {
  const suffix = /\.(png|jpe?g|gif|webp)$/i.exec(filename)?.[1]?.toLowerCase();
  return suffix === undefined ? null : `image/${suffix.replace('jpg', 'jpeg')}`;
}

function Image({ url, type, name, bytes }: { readonly url: string; readonly type: string; readonly name: string; readonly bytes: number }) {
  const shown = useSignal<string | null>(null);
  const error = useSignal<Error | null>(null);
  useEffect(() => {
    if (bytes > MOST_IMAGE_BYTES) return;
    let address: string | null = null;
    fetch(url)
      .then(async (response) => {
        if (!response.ok) throw new Error(`The file could not be read: ${response.status}`);
        // Whatever the file says that it is, the browser reads it as an image only.
        address = URL.createObjectURL(new Blob([await response.arrayBuffer()], { type }));
        shown.value = address;
      })
      .catch((problem: Error) => {
        error.value = problem;
      });
    return () => {
      if (address !== null) URL.revokeObjectURL(address);
    };
  }, [url, type, bytes, shown, error]);
  if (bytes > MOST_IMAGE_BYTES) return <p class="muted">An image of {formatBytes(bytes)} is not shown here. Download it.</p>;
  if (error.value) return <Problem error={error.value} />;
  return shown.value === null ? <Skeleton rows={4} /> : <img src={shown.value} alt={name} />;
}

function Text({ id, name, isModel }: { readonly id: string; readonly name: string; readonly isModel: boolean }) {
  const { data, error } = useQuery(FilePreviewDocument, { id, isModel });
  if (error.value) return <Problem error={error.value} />;
  if (!data.value) return <Skeleton rows={4} />;
  const { text, stateDict } = data.value.fragment ?? {};
  if (stateDict) return <Tensors tensors={stateDict.tensors} metadata={stateDict.metadata} />;
  if (text === null || text === undefined) return <p class="muted">It cannot be shown as text. Download it.</p>;
  if (/\.csv$/i.test(name)) return <Csv text={text} />;
  return <pre class="json">{/\.json$/i.test(name) ? indent(text) : text}</pre>;
}

function indent(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // cut, or not JSON
  }
}

function Csv({ text }: { readonly text: string }) {
  const [head, ...rows] = text.trimEnd().split(/\r?\n/).map(readCsvLine);
  return (
    <div class="scrolls">
      <table>
        <thead>
          <tr>
            {head?.map((cell, index) => (
              <th key={index}>{cell}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, SHOWN_ROWS).map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column} class="mono">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > SHOWN_ROWS && <p class="muted">The first {SHOWN_ROWS} rows.</p>}
    </div>
  );
}

/** The cells of one line. A quoted cell may hold commas; one with a line break is cut. */
function readCsvLine(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}

interface TensorsProps {
  readonly tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

function Tensors({ tensors, metadata }: TensorsProps) {
  const elements = tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  return (
    <>
      <p class="muted">
        {formatCount(tensors.length)} tensors, {formatCount(elements)} numbers
        {Object.keys(metadata).length > 0 && ` · ${JSON.stringify(metadata)}`}
      </p>
      <table>
        <tbody>
          {tensors.slice(0, SHOWN_TENSORS).map(({ name, dtype, shape }) => (
            <tr key={name}>
              <td class="mono">{name}</td>
              <td class="mono muted">{dtype}</td>
              <td class="mono right">{shape.join(' × ') || 'a number'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {tensors.length > SHOWN_TENSORS && <p class="muted">The first {SHOWN_TENSORS}.</p>}
    </>
  );
}
