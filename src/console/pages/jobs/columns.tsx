interface ColumnsProps {
  /** Metrics of the jobs that are listed. */
  readonly names: readonly string[];
  readonly chosen: readonly string[];
  onChoose(names: readonly string[]): void;
}

/** Chooses the metrics that have a column. The first has a curve as well. */
export function Columns({ names, chosen, onChoose }: ColumnsProps) {
  const all = [...new Set([...chosen, ...names])];
  return (
    <details class="columns">
      <summary class="button">Metrics{chosen.length > 0 && ` · ${chosen.length}`}</summary>
      <fieldset>
        <legend class="unseen">Metrics with a column</legend>
        {all.length === 0 && <p class="muted">These jobs have reported no metrics.</p>}
        {all.map((name) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={(event) => onChoose(event.currentTarget.checked ? [...chosen, name] : chosen.filter((other) => other !== name))}
            />
            <span class="ellipsis">{name}</span>
          </label>
        ))}
      </fieldset>
    </details>
  );
}
