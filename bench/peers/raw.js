/**
 * Runs recorded statements of the gateway with better-sqlite3 alone: POST /run {ms, group} runs
 * them for so long, `group` changes in each transaction, every transaction on disk before the next.
 */
import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { serve } from './serve.js';

const database = new Database(process.argv[2]);
database.pragma('synchronous = FULL');
let position = 1_000_000;
database.function('next_position', () => ++position);

const [first, second] = JSON.parse(readFileSync(process.argv[3], 'utf8'));
/** Before the first turn, every value that stands for something new. */
const texts = new Map();
const statements = first.map(({ sql, values }, i) => {
  const statement = database.prepare(sql);
  return {
    statement: statement.reader ? statement.raw() : statement,
    isRead: statement.reader,
    makers: values.map((value, j) => makerOf(value, second[i].values[j])),
  };
});

/** A text that differs is an id or a hash: it gets a new end. A number that differs counts on. */
function makerOf(value, next) {
  if (value === next) return () => value;
  if (typeof value === 'number') return (turn) => value + (next - value) * (turn + 2);
  texts.set(value, texts.get(value) ?? value.slice(0, -9));
  const start = texts.get(value);
  return (turn) => start + String(turn).padStart(9, '0');
}

let turn = 0;
function change() {
  turn += 1;
  for (const { statement, isRead, makers } of statements) {
    const values = makers.map((make) => make(turn));
    if (isRead) statement.all(values);
    else statement.run(values);
  }
}

const changeAll = database.transaction((group) => {
  for (let i = 0; i < group; i++) change();
});

function run({ ms, group }) {
  const start = performance.now();
  let count = 0;
  while (performance.now() < start + ms) {
    changeAll.immediate(group);
    count += group;
  }
  return { count, seconds: (performance.now() - start) / 1_000 };
}

serve(run);
