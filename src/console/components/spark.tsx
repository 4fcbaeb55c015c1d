/** A small curve without axes. */
interface SparkProps {
  readonly values: readonly number[];
  readonly width?: number;
  readonly height?: number;
  /** One of the twelve colours of curves. */
  readonly colour?: number;
  readonly label: string;
}

const INSET = 2;

export function Spark({ values, width = 120, height = 24, colour = 0, label }: SparkProps) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const scale = high > low ? (height - 2 * INSET) / (high - low) : 0;
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const points = values.map((value, index) => {
    const y = scale === 0 ? height / 2 : height - INSET - (value - low) * scale;
    return `${(index * step).toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg class="spark" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {values.length > 1 && (
        <polyline fill="none" class={`curve c${(colour % 12) + 1}`} points={points.join(' ')} vector-effect="non-scaling-stroke" />
      )}
    </svg>
  );
}
