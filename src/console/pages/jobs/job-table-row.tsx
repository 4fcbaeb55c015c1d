import { Spark } from '../../components/spark.tsx';
import { Status, wordOf } from '../../components/status.tsx';
import { Ago, Took } from '../../components/time.tsx';
import { formatValue } from '../../format/numbers.ts';
import type { MetricsInView } from '../../streams/row-metrics.ts';
import type { JobRows } from './job-rows.ts';
import { writeToken } from './view.ts';

interface JobTableRowProps {
  readonly id: string;
  /** From 0, among all jobs of the list. */
  readonly index: number;
  readonly rows: JobRows;
  readonly columns: MetricsInView;
  readonly metrics: readonly string[];
  readonly isCurrent: boolean;
  readonly isSelected: boolean;
  onSelect(id: string, isRange: boolean): void;
}

/** One job. It reads its own signal: a change of another job does not draw it. */
export function JobTableRow({ id, index, rows, columns, metrics, isCurrent, isSelected, onSelect }: JobTableRowProps) {
  const job = rows.get(id);
  if (!job) return null;
  const { values, curve } = columns.get(id);
  const onClick = (event: MouseEvent) => {
    if (event.target instanceof Element && event.target.closest('a, button, input') && !event.shiftKey) return;
    event.preventDefault();
    onSelect(id, event.shiftKey);
  };
  return (
    <tr
      aria-rowindex={index + 2}
      aria-selected={isSelected}
      class={isCurrent ? 'current' : undefined}
      onClick={onClick}
      // A selection of rows is not one of text.
      onMouseDown={(event) => event.shiftKey && event.preventDefault()}
    >
      <td>
        <input type="checkbox" checked={isSelected} aria-label={`Select ${job.name}`} onChange={() => onSelect(id, false)} />
      </td>
      <td>
        <Status status={job.status}>{wordOf(job.status)}</Status>
      </td>
      <th scope="row">
        <a href={`/jobs/${id}`} data-job={id} title={job.name}>
          {job.name}
        </a>
      </th>
      <td class="wide">
        {job.labels.map(({ key, value }) => (
          <a
            class="label"
            key={key}
            href={`/jobs?label=${encodeURIComponent(`${key}=${value}`)}`}
            title={writeToken('label', `${key}=${value}`)}
          >
            {key}={value}
          </a>
        ))}
      </td>
      <td class="wide muted" title={job.owner}>
        {job.owner}
      </td>
      <td class="wide">{job.device ? <a href={`/devices/${job.device.id}`}>{job.device.name}</a> : <span class="faint">–</span>}</td>
      {metrics.map((name) => {
        const value = values.get(name);
        return (
          <td key={name} class="right mono">
            {value === undefined ? <span class="faint">–</span> : formatValue(value)}
          </td>
        );
      })}
      {metrics.length > 0 && <td class="wide">{curve.length > 1 && <Spark values={curve} label={`Curve of ${metrics[0]}`} />}</td>}
      <td class="wide right">
        <Took from={job.startedAt} to={job.finishedAt} />
      </td>
      <td class="right muted">
        <Ago at={job.createdAt} />
      </td>
    </tr>
  );
}

/** Stands for a job that is not read yet. */
export function UnreadRow({ index }: { readonly index: number }) {
  return (
    <tr class="unread" aria-rowindex={index + 2}>
      <td colSpan={99}>
        <i />
      </td>
    </tr>
  );
}
