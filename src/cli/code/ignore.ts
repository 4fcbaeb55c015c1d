/**
 * Which files `.trainyardignore` leaves out, by the rules of gitignore(5). A `?` and a set stand
 * for one character, where git counts bytes.
 *
 * Not the package `ignore`: the command line and the Python package have to choose the same files,
 * and have the same translation into regular expressions (python/src/trainyard/_ignore.py). A test
 * compares both with git.
 */

interface Rule {
  readonly pattern: RegExp;
  readonly isNegated: boolean;
  /** Whether it matches folders only. */
  readonly isForFolders: boolean;
}

/** Whether a path is left out. Its folders have to be asked for first: what is in them follows. */
export type Ignores = (path: string, isFolder: boolean) => boolean;

export function readIgnoreFile(text: string): Ignores {
  const rules = text.split(/\r?\n/).flatMap((line) => ruleOf(line) ?? []);
  return (path, isFolder) => {
    const last = rules.findLast(({ pattern, isForFolders }) => (isFolder || !isForFolders) && pattern.test(path));
    return last !== undefined && !last.isNegated;
  };
}

function ruleOf(line: string): Rule | null {
  // A space at the end counts only after a backslash.
  let text = line.replace(/((?:^|[^\\])(?:\\\\)*(?:\\ )?) +$/, '$1');
  if (text === '' || text.startsWith('#')) return null;
  const isNegated = text.startsWith('!');
  if (isNegated) text = text.slice(1);
  const isForFolders = text.endsWith('/');
  if (isForFolders) text = text.slice(0, -1);
  // A slash before the end ties the pattern to the top folder.
  const isAnchored = text.includes('/');
  if (text.startsWith('/')) text = text.slice(1);
  const body = translate(text);
  if (body === null || text === '') return null;
  return { pattern: new RegExp(`^${isAnchored ? '' : '(?:.*/)?'}${body}$`, 'su'), isNegated, isForFolders };
}

/**
 * The regular expression for a pattern. Null for one that is not well formed: it matches nothing.
 */
function translate(glob: string): string | null {
  let out = '';
  for (let at = 0; at < glob.length; ) {
    const rest = glob.slice(at);
    const isStart = at === 0 || glob[at - 1] === '/';
    const stars = /^\*+/.exec(rest)?.[0].length ?? 0;
    if (isStart && stars > 1 && rest[stars] === '/') {
      out += '(?:.*/)?';
      at += stars + 1;
    } else if (isStart && stars > 1 && rest.length === stars) {
      out += '.+';
      at += stars;
    } else if (stars > 0) {
      out += '[^/]*';
      at += stars;
    } else if (rest.startsWith('?')) {
      out += '[^/]';
      at += 1;
    } else if (rest.startsWith('[')) {
      const set = /^\[([!^]?)((?:\\.|\]|[^\]\\])(?:\\.|[^\]\\])*)\]/su.exec(rest);
      if (set === null) return null;
      out += `(?!/)[${set[1] ? '^' : ''}${(set[2] ?? '').replace(/\\(.)|([\\\]^[&~|])/gsu, (_, kept?: string, plain?: string) => escapedInSet(kept ?? plain ?? ''))}]`;
      at += set[0].length;
    } else {
      const character = rest.startsWith('\\') ? [...rest][1] : [...rest][0];
      if (character === undefined) return null;
      out += escaped(character);
      at += character.length + (rest.startsWith('\\') ? 1 : 0);
    }
  }
  return out;
}

const escaped = (character: string): string => (/[$()*+./?[\\\]^{|}]/.test(character) ? `\\${character}` : character);
const escapedInSet = (character: string): string => (/[-\\\]^[]/.test(character) ? `\\${character}` : character);
