import { formatCount } from '../format/numbers.ts';

interface TabsProps {
  /** The address of the first tab. Those of the others are below it. */
  readonly base: string;
  /** The last part of the address, the name, and how many things are in it. */
  readonly tabs: readonly (readonly [path: string, name: string, count?: number])[];
  readonly current: string;
}

/** Tabs that are pages: each has its address, and the browser's way back works. */
export function Tabs({ base, tabs, current }: TabsProps) {
  return (
    <nav class="tabs" aria-label="Parts of the page">
      {tabs.map(([path, name, count], index) => (
        <a key={path} href={index === 0 ? base : `${base}/${path}`} aria-current={path === current ? 'page' : undefined}>
          {name}
          {count !== undefined && count > 0 && <sup>{formatCount(count)}</sup>}
        </a>
      ))}
    </nav>
  );
}
