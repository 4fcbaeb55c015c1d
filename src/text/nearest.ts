/**
 * The word that was probably meant: at most a third of it mistyped, or its end omitted. Undefined
 * if none is that near.
 */
function nearest(given: string, words: Iterable<string>): string | undefined {
  const typed = fold(given);
  let best: { readonly word: string; readonly distance: number } | undefined;
  for (const word of words) {
    const known = fold(word);
    const most = Math.max(1, Math.floor(Math.max(known.length, typed.length) / 3));
    const isBeginning = typed.length > 2 && known.startsWith(typed);
    const distance = distanceOf(typed, known);
    if ((isBeginning || distance <= most) && (best === undefined || distance < best.distance)) best = { word, distance };
  }
  return best?.word;
}

/** ` Did you mean "…"?`, or nothing. */
export function didYouMean(given: string, words: Iterable<string>, show = (word: string) => `"${word}"`): string {
  const word = nearest(given, words);
  return word === undefined ? '' : ` Did you mean ${show(word)}?`;
}

const fold = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[-_ .]/g, '')
    .slice(0, 64);

/** Counts inserted, omitted, replaced and swapped letters (optimal string alignment). */
function distanceOf(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      const change = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(isSwapped ? Math.min(change, (before[j - 2] ?? 0) + 1) : change);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
