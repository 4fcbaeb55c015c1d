/** Escape sequences of terminals: colours, cursor moves, links, titles. */

/** What they begin with: ESC, and CSI as one character. */
const introducers = ['\u001b', '\u009b'];
/**
 * A command with its text up to BEL or ST, or one without text. Node's stripVTControlCharacters
 * reads a text to the end of the input for each command that nothing ends: a megabyte of them takes
 * minutes. Here a text ends at the next ESC, where a terminal gives up as well.
 */
const sequences =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for.
  /\u001b\][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)|[\u001b\u009b][[\]()#;?]*(?:\d{1,4}(?:[;:]\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~]/g;

export function withoutEscapes(text: string): string {
  return introducers.some((introducer) => text.includes(introducer)) ? text.replace(sequences, '') : text;
}
