/** A small curve without axes. */
import { colourOf } from './curve-colours.ts';

interface SparkProps {
  readonly values: readonly number[];
  /** Said to whoever does not see it. */
  readonly label: string;
  /** One of the colours of curves, from 0. */
  readonly colour?: number;
}

const WIDTH = 88;
const HEIGHT = 20;
/** Room for the stroke at the top and at the bottom. */
const INSET = 2;

export function Spark({ values, label, colour = 0 }: SparkProps) {
  if (values.length < 2) return <span class="spark" />;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const points = values.map((value, index) => {
    const x = (index * WIDTH) / (values.length - 1);
    const y = high > low ? INSET + ((high - value) / (high - low)) * (HEIGHT - 2 * INSET) : HEIGHT / 2;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline fill="none" class={`curve c${colourOf(colour)}`} points={points.join(' ')} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

/** The colour of a line, beside its name. */
export const Swatch = ({ colour }: { readonly colour: number }) => (
  <svg class={`swatch curve c${colourOf(colour)}`} viewBox="0 0 12 12" aria-hidden="true">
    <path d="M0 6h12" />
  </svg>
);
