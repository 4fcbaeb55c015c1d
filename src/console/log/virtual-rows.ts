/**
 * Which rows of a long list are on the screen.
 *
 * The list scrolls over a spacer as high as all rows. Browsers clip elements at some 33 million
 * pixels, so a higher spacer is scaled down: a pixel of the scroll bar then stands for more than
 * one of the rows.
 */
export interface View {
  /** Rows in all. */
  readonly count: number;
  readonly rowPixels: number;
  /** Height of the window onto them. */
  readonly windowPixels: number;
}

const HIGHEST_SPACER = 16_000_000;

export const spacerPixels = ({ count, rowPixels, windowPixels }: View): number =>
  Math.max(windowPixels, Math.min(HIGHEST_SPACER, count * rowPixels));

/** How far the rows are scrolled, in pixels of the rows, at this position of the scroll bar. */
export function rowsOffset(view: View, scrollTop: number): number {
  const inAll = view.count * view.rowPixels - view.windowPixels;
  const scrollable = spacerPixels(view) - view.windowPixels;
  if (inAll <= 0 || scrollable <= 0) return 0;
  const share = Math.min(1, Math.max(0, scrollTop / scrollable));
  return share * inAll;
}

/** The position of the scroll bar at which the rows are scrolled that far. */
export function scrollTopOf(view: View, offset: number): number {
  const inAll = view.count * view.rowPixels - view.windowPixels;
  if (inAll <= 0) return 0;
  return (Math.min(inAll, Math.max(0, offset)) / inAll) * (spacerPixels(view) - view.windowPixels);
}

/** The rows from `first` up to and without `end`, and how far the first is shifted up. */
export function shownRows(view: View, scrollTop: number): { readonly first: number; readonly end: number; readonly shift: number } {
  const offset = rowsOffset(view, scrollTop);
  const first = Math.min(Math.max(0, view.count - 1), Math.floor(offset / view.rowPixels));
  const end = Math.min(view.count, first + Math.ceil(view.windowPixels / view.rowPixels) + 1);
  return { first, end, shift: offset - first * view.rowPixels };
}
