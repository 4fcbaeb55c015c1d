import { text } from 'node:stream/consumers';
import type { Io } from '../io.ts';

/** Bytes that a key never has: more is not a key. */
const MOST_CHARACTERS = 4_096;
const [interrupt, endOfText, backspace, rubout] = ['\u0003', '\u0004', '\b', '\u007f'];

/** Reads a secret: from a terminal without showing it, else the first line of standard input. */
export async function readSecret(io: Io, question: string): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY) return ((await text(stdin)).split('\n', 1)[0] ?? '').trim();
  io.stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  let secret = '';
  try {
    for await (const typed of stdin) {
      for (const character of String(typed)) {
        if (character === '\r' || character === '\n' || character === endOfText) return secret.trim();
        if (character === interrupt) {
          process.kill(process.pid, 'SIGINT');
          io.signal.throwIfAborted();
          return '';
        }
        if (character === backspace || character === rubout) secret = secret.slice(0, -1);
        else if (secret.length < MOST_CHARACTERS) secret += character;
      }
    }
    return secret.trim();
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    io.stderr.write('\n');
  }
}
