/** What people look at first comes first. */
const first = ['loss', 'acc', 'epoch'];

function weightOf(name: string): number {
  const place = first.findIndex((word) => name.toLowerCase().includes(word));
  return place < 0 ? first.length : place;
}

/** The names in the order in which people look at them: loss, accuracy, epoch, the others. */
export const byWeight = (names: Iterable<string>): string[] => [...names].sort((a, b) => weightOf(a) - weightOf(b) || a.localeCompare(b));
