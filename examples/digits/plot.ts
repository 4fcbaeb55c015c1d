const blocks = '▁▂▃▄▅▆▇█';

/** The newest values as a sparkline. */
export function sparkline(values: readonly number[]): string {
  const shown = values.slice(-40);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  return shown.map((value) => blocks[high === low ? 0 : Math.round(((value - low) / (high - low)) * (blocks.length - 1))]).join('');
}
