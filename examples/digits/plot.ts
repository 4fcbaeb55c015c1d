const blocks = '▁▂▃▄▅▆▇█';

/** The newest values as one word of blocks: the lowest of them is low, the highest is high. */
export function sparkline(values: readonly number[]): string {
  const shown = values.slice(-40);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  return shown.map((value) => blocks[high === low ? 0 : Math.round(((value - low) / (high - low)) * (blocks.length - 1))]).join('');
}
