#!/usr/bin/env node
// Starts Trainyard with a Node that can run it: this one, or else the one that `npm ci` brought along (package "node").
// This file has to be read by the old ones too, so it holds nothing that they would not know.
import { spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findProgram } from './program.js';

const oldestNode = 26;
const top = dirname(dirname(fileURLToPath(import.meta.url)));
const main = findProgram(top);

if (Number(process.versions.node.split('.')[0]) >= oldestNode) {
  process.argv[1] = main;
  await import(pathToFileURL(main).href);
} else {
  // Beside this package, where it is installed as one of several.
  const folders = [join(top, 'node_modules'), dirname(top)];
  const names = folders.flatMap((folder) => ['node', 'node.exe'].map((name) => join(folder, 'node', 'bin', name)));
  const newer = names.find((name) => existsSync(name));
  if (newer === undefined) {
    console.error(
      `trainyard: Node ${oldestNode} or newer is needed, this is ${process.version}; run "npm ci" in ${top}, which brings one along.`,
    );
    process.exitCode = 1;
  } else {
    handOver(newer);
  }
}

// As src/initial-memory.ts, which an old Node cannot read, says: on Linux the environment of this process, which waits above the one that it starts,
// would be shown to every program of its user.
function takeEnvironment() {
  const environment = Object.assign({}, process.env);
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const start = Number(fields[47]);
    const length = Number(fields[48]) - start;
    for (const name of Object.keys(process.env)) delete process.env[name];
    writeSync(openSync('/proc/self/mem', 'r+'), Buffer.alloc(length), 0, length, start);
  } catch {
    // Not Linux, or not allowed here.
  }
  return environment;
}

function handOver(node) {
  const child = spawn(node, [main].concat(process.argv.slice(2)), { stdio: 'inherit', env: takeEnvironment() });
  // Ctrl-C on a terminal reaches the child by itself, as one of the terminal's group: passing it on would make it two.
  const ofTerminal = process.stdin.isTTY ? ['SIGINT', 'SIGQUIT', 'SIGHUP'] : [];
  const signals = process.platform === 'win32' ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR2'];
  for (const signal of signals) {
    process.on(signal, () => {
      if (ofTerminal.indexOf(signal) < 0) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`trainyard: ${node} does not start: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
