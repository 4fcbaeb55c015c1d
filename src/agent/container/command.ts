/**
 * How the text of `entrypoint` and `command` becomes something to run.
 *
 * - As a process, the text is passed to `/bin/sh -c` unchanged, so pipes, `&&`, `$VARIABLES` and
 *   globs work as in a terminal.
 * - In a container there may be no shell, so the text is split into words here. Only the quoting
 *   rules of the POSIX shell apply: quotes and backslashes work, but nothing is expanded, and `|`,
 *   `>` and `;` are ordinary characters. To use a shell there, write `sh -c "…"`.
 */

/**
 * The arguments of `/bin/sh` for a step that runs as a process. Null when there is nothing to run.
 */
export function shellArguments(container: { readonly entrypoint: string | null; readonly command: string | null }): string[] | null {
  const text = [container.entrypoint, container.command].filter((part) => part !== null && part.trim() !== '').join(' ');
  // `--`, because a command may start with a dash.
  return text === '' ? null : ['-c', '--', text];
}

/** A command line that cannot be split: an unclosed quote, or a backslash at the end. */
export class CommandSyntaxError extends Error {
  override readonly name = 'CommandSyntaxError';
}

/**
 * Splits a command line into words by the POSIX shell's quoting rules (XCU 2.2). `'…'` keeps
 * everything. `"…"` keeps everything except a backslash before `$`, a backtick, `"`, `\` and a line
 * break. A backslash outside quotes keeps the next character. `''` is an empty word. Throws
 * CommandSyntaxError.
 */
export function splitCommand(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let position = 0;
  const characters = [...text];
  const next = () => characters[position++];
  for (let character = next(); character !== undefined; character = next()) {
    if (character === "'") {
      word = (word ?? '') + readQuoted(next);
    } else if (character === '"') {
      word = (word ?? '') + readDoubleQuoted(next);
    } else if (character === '\\') {
      const kept = next();
      if (kept === undefined) throw new CommandSyntaxError('The command ends with a backslash.');
      // A backslash at the end of a line joins the lines.
      if (kept !== '\n') word = (word ?? '') + kept;
    } else if (/[ \t\r\n]/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

function readQuoted(next: () => string | undefined): string {
  let content = '';
  for (let character = next(); character !== "'"; character = next()) {
    if (character === undefined) throw new CommandSyntaxError("The command has an unclosed '.");
    content += character;
  }
  return content;
}

function readDoubleQuoted(next: () => string | undefined): string {
  let content = '';
  for (let character = next(); character !== '"'; character = next()) {
    if (character === undefined) throw new CommandSyntaxError('The command has an unclosed ".');
    if (character !== '\\') {
      content += character;
      continue;
    }
    const escaped = next();
    if (escaped === undefined) throw new CommandSyntaxError('The command has an unclosed ".');
    if (escaped === '\n') continue;
    content += '$`"\\'.includes(escaped) ? escaped : `\\${escaped}`;
  }
  return content;
}
