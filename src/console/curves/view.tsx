/** What the charts of a page have in common: the axis, the zoom, the smoothing and the scale. */
import { useSignal } from '@preact/signals';
import { type Address, useAddress } from '../components/address.ts';
import { tick } from '../components/chart.tsx';
import type { CurveAxis } from '../generated.ts';
import type { CurveWindow } from './curve.ts';

export interface ChartView {
  readonly window: CurveWindow;
  /** The weight of what came before: 0 for none. */
  readonly smoothing: number;
  readonly isLog: boolean;
  zoom(from: number | null, to: number | null): void;
}

const axes: readonly (readonly [axis: CurveAxis, name: string])[] = [
  ['ITERATION', 'iteration'],
  ['ELAPSED', 'elapsed'],
  ['TIME', 'time'],
];

const MOST_SMOOTHING = 0.99;

/** Reads the view from the address. */
export function useChartView(defaultAxis: CurveAxis = 'ITERATION'): ChartView {
  const { query, set } = useAddress();
  const axis = axes.find(([, name]) => name === query.x)?.[0] ?? defaultAxis;
  return {
    window: { axis, from: numberOf(query.from), to: numberOf(query.to) },
    smoothing: Math.min(MOST_SMOOTHING, Math.max(0, numberOf(query.smooth) ?? 0)),
    isLog: query.scale === 'log',
    zoom: (from, to) => set({ from: from === null ? null : shorten(from), to: to === null ? null : shorten(to) }, true),
  };
}

function numberOf(text: string | undefined): number | null {
  const value = Number(text);
  return text === undefined || text === '' || !Number.isFinite(value) ? null : value;
}

/** Milliseconds, or parts of an iteration, are enough in an address. */
const shorten = (x: number): string => String(Number(x.toFixed(3)));

export function ChartTools({ view }: { readonly view: ChartView }) {
  const address = useAddress();
  const { axis, from, to } = view.window;
  return (
    <>
      <label>
        x
        <select
          value={axis}
          onChange={({ currentTarget }) => {
            const name = axes.find(([one]) => one === currentTarget.value)?.[1] ?? 'iteration';
            address.set({ x: name, from: null, to: null });
          }}
        >
          {axes.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Smoothing value={view.smoothing} address={address} />
      <label>
        <input
          type="checkbox"
          checked={view.isLog}
          onChange={({ currentTarget }) => address.set({ scale: currentTarget.checked ? 'log' : null })}
        />
        log y
      </label>
      <span class="grow" />
      {(from !== null || to !== null) && (
        <span class="muted">
          {from === null ? 'from the beginning' : tick(from, axis)} – {to === null ? 'to the end' : tick(to, axis)}{' '}
          <button type="button" onClick={() => view.zoom(null, null)}>
            Reset zoom
          </button>
        </span>
      )}
    </>
  );
}

/** The number follows the slider. The curves do once it is let go. */
function Smoothing({ value, address }: { readonly value: number; readonly address: Address }) {
  const shown = useSignal<number | null>(null);
  return (
    <label>
      smooth
      <input
        type="range"
        min={0}
        max={MOST_SMOOTHING}
        step={0.01}
        value={shown.value ?? value}
        onInput={({ currentTarget }) => {
          shown.value = currentTarget.valueAsNumber;
        }}
        onChange={({ currentTarget }) => {
          shown.value = null;
          address.set({ smooth: currentTarget.valueAsNumber > 0 ? currentTarget.value : null });
        }}
      />
      <output class="mono">{(shown.value ?? value).toFixed(2)}</output>
    </label>
  );
}
