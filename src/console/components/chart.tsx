/** A chart of lines over a common x, drawn by uPlot. Dragging zooms, a double click shows all. */
import 'uplot/dist/uPlot.min.css';
import './chart.css';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { formatCount, formatValue } from '../format/numbers.ts';
import { formatClock, formatDuration } from '../format/time.ts';
import type { CurveAxis } from '../generated.ts';
import { type CanvasColours, canvasColours } from './canvas-colours.ts';
import { CURVE_COLOURS } from './curve-colours.ts';

export interface Line {
  readonly name: string;
  /** One of the colours of curves, from 0. */
  readonly colour: number;
  /** Drawn paler: the values behind a smoothed line. */
  readonly isPale?: boolean;
  readonly isHidden?: boolean;
}

/** A part of the axis that is shaded, such as an attempt at a step. */
export interface Band {
  readonly from: number;
  readonly to: number;
  readonly colour: number;
}

export interface ChartProps {
  /** Said to whoever does not see it. */
  readonly label: string;
  readonly axis: CurveAxis;
  readonly lines: readonly Line[];
  /** The places on the axis, then a column a line. */
  readonly data: readonly [x: readonly number[], ...y: (readonly (number | null)[])[]];
  /** The part of the axis that is shown. Null: to the end of the data. */
  readonly from: number | null;
  readonly to: number | null;
  readonly isLog?: boolean;
  /** For what is used of something: its scale begins at nothing. */
  readonly isFromZero?: boolean;
  readonly bands?: readonly Band[];
  /** Charts with the same key show the same place under the pointer. */
  readonly sync: string;
  readonly format?: (value: number) => string;
  onZoom?(from: number | null, to: number | null): void;
  /** The row of the data under the pointer, and the line that is nearest. */
  onHover?(row: number | null, line: number | null): void;
}

const HEIGHT = 190;
/** Below this, each point is marked. */
const FEW_POINTS = 40;
/** How near the pointer has to be to a line to single it out, in pixels. */
const NEAR = 24;

export function Chart(props: ChartProps) {
  const { label, axis, lines, data, from, to, isLog = false } = props;
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const drawn = useRef<Pick<ChartProps, 'data' | 'from' | 'to'> | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const colours = canvasColours.value;
  const kind = `${axis} ${isLog} ${lines.map(({ name, colour, isPale }) => `${name} ${colour} ${isPale ?? false}`).join('\n')}`;

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const made = new uPlot(optionsOf(latest, element.clientWidth, colours), toAligned(latest.current.data), element);
    chart.current = made;
    drawn.current = { data: latest.current.data, from: latest.current.from, to: latest.current.to };
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== made.width) made.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      if (chart.current === made) chart.current = undefined;
    };
  }, [kind, colours]);

  useEffect(() => {
    // A new chart has been drawn with its data already.
    const { current } = drawn;
    if (current?.data === data && current.from === from && current.to === to) return;
    drawn.current = { data, from, to };
    chart.current?.setData(toAligned(data));
  }, [data, from, to]);

  const hidden = lines.map(({ isHidden }) => (isHidden ? '1' : '0')).join('');
  useEffect(() => {
    chart.current?.batch(() => {
      for (const [index, { isHidden }] of lines.entries()) chart.current?.setSeries(index + 1, { show: !isHidden });
    });
  }, [hidden, kind, colours]);

  return <div class="plot" ref={place} role="img" aria-label={label} data-rows={data[0].length} />;
}

/** uPlot changes nothing of the arrays. */
const toAligned = (data: ChartProps['data']): uPlot.AlignedData => data as unknown as uPlot.AlignedData;

function optionsOf(latest: { readonly current: ChartProps }, width: number, colours: CanvasColours): uPlot.Options {
  const { axis, lines, isLog = false, sync, format = formatValue } = latest.current;
  const grid = { stroke: colours.line, width: 1 };
  const ofAxis = { stroke: colours.text, font: colours.font, grid, ticks: { show: false } };
  const colour = (index: number) => colours.curves[index % CURVE_COLOURS] ?? colours.text;
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: false, range: (_, min, max) => rangeOfX(latest.current, min, max) },
      y: { distr: isLog ? 3 : 1, range: (_, min, max) => (isLog ? rangeOfLog(min, max) : rangeOfY(min, max, latest.current.isFromZero)) },
    },
    axes: [
      { ...ofAxis, size: 28, space: 64, incrs: incrementsOf(axis), values: (_, splits) => splits.map((split) => tick(split, axis)) },
      // uPlot leaves out most places of a logarithmic axis: they are null.
      { ...ofAxis, size: 60, space: 28, values: (_, splits) => splits.map((split) => (split === null ? '' : format(split))) },
    ],
    series: [
      {},
      ...lines.map(
        ({ name, colour: index, isPale, isHidden }): uPlot.Series => ({
          label: name,
          show: !isHidden,
          stroke: colour(index),
          width: isPale ? 1 : 1.5,
          alpha: isPale ? 0.3 : 1,
          spanGaps: true,
          points: { show: (chart, series) => hasFew(chart.data[series]), size: 5 },
        }),
      ),
    ],
    focus: { alpha: 0.25 },
    cursor: {
      drag: { x: true, y: false, setScale: false, dist: 4 },
      // A drag zooms once: the other charts follow the address.
      sync: { key: sync, setSeries: false, filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' } },
      ...(lines.length > 2 && { focus: { prox: NEAR } }),
      points: { size: 6 },
      bind: {
        dblclick: () => () => {
          latest.current.onZoom?.(null, null);
          return null;
        },
      },
    },
    hooks: {
      drawClear: [(chart) => drawBands(chart, latest.current.bands ?? [], colour)],
      setCursor: [(chart) => latest.current.onHover?.(chart.cursor.idx ?? null, focused(chart))],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width <= 0) return;
          const [from, to] = [chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x')];
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          latest.current.onZoom?.(from, to);
        },
      ],
    },
  };
}

const focused = (chart: uPlot): number | null => {
  const index = chart.series.findIndex((series, place) => place > 0 && '_focus' in series && series._focus === true);
  return index < 1 ? null : index - 1;
};

function hasFew(column: ArrayLike<number | null | undefined> | undefined): boolean {
  let count = 0;
  for (let index = 0; column && index < column.length; index++)
    if (column[index] !== null && column[index] !== undefined && ++count > FEW_POINTS) return false;
  return count > 0;
}

function rangeOfX({ from, to }: ChartProps, min: number | null, max: number | null): [number, number] {
  const low = from ?? min ?? 0;
  const high = to ?? max ?? 1;
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}

function rangeOfY(min: number | null, max: number | null, isFromZero = false): [number, number] {
  if (min === null || max === null) return [0, 1];
  if (isFromZero) return [0, max > 0 ? max * 1.05 : 1];
  const room = max > min ? (max - min) * 0.05 : Math.abs(max) * 0.1 || 1;
  return [min >= 0 && min - room < 0 ? 0 : min - room, max + room];
}

/** To a mark at both ends: 1, 2 or 5 times a power of ten. */
function rangeOfLog(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null || min <= 0) return [0.1, 1];
  const marksAround = (value: number) => [1, 2, 5, 10].map((digit) => digit * 10 ** Math.floor(Math.log10(value)));
  const low = marksAround(min).findLast((mark) => mark <= min) ?? min;
  const high = marksAround(max).find((mark) => mark >= max) ?? max;
  return high > low ? [low, high] : [low / 2, high * 2];
}

const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800, 604_800];

/** Distances between the marks of an axis. Below a second, and of iterations, by tens. */
const incrementsOf = (axis: CurveAxis): number[] =>
  axis === 'ITERATION'
    ? powersFrom(0, 12)
    : [...powersFrom(-3, 0), ...SECONDS, ...SECONDS.slice(-1).flatMap((week) => [4 * week, 52 * week])];

const powersFrom = (first: number, end: number): number[] =>
  Array.from({ length: end - first }, (_, index) => 10 ** (first + index)).flatMap((power) => [power, 2 * power, 5 * power]);

/** A place on the axis in words. */
export function tick(x: number, axis: CurveAxis): string {
  if (axis === 'ITERATION') return formatCount(Math.round(x));
  if (axis === 'TIME') return formatClock(x * 1_000);
  return x < 60 && !Number.isInteger(x) ? `${formatValue(x)}s` : formatDuration(x);
}

/** A thin line at the top and a shade below it. */
function drawBands(chart: uPlot, bands: readonly Band[], colour: (index: number) => string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { from, to, colour: index } of bands) {
    const left = chart.valToPos(from, 'x', true);
    const width = Math.max(1, chart.valToPos(to, 'x', true) - left);
    ctx.fillStyle = colour(index);
    ctx.globalAlpha = 0.08;
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.globalAlpha = 0.9;
    ctx.fillRect(left, bbox.top, width, 3 * devicePixelRatio);
  }
  ctx.restore();
}
