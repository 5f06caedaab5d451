import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { commands, listOfCommands } from './commands.mjs';
import { say, Trouble } from './progress.mjs';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const nodeMin = 18;
const parentLookMs = 1000;

/** Runs the command under the right Node and ends with its exit code; nothing of it outlives us, nor us our npm. */
function runCommand(node, entry, args, env) {
  const nodeArgs = ['--conditions=skirmish-source', join(root, 'apps', 'local', 'src', entry)];
  const child = spawn(node, [...nodeArgs, ...args], { cwd: root, env, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  // Ctrl-C reaches the command by itself; signals that only we get are passed on as a word, which may come twice.
  const stop = () => {
    if (child.connected) child.send({ type: 'stop' }, () => undefined);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event !== undefined) setInterval(() => (process.ppid === parent ? undefined : stop()), parentLookMs).unref();
  child.once('error', (error) => {
    say(`${node} cannot be run: ${error.message}`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

async function main([name, ...args]) {
  if (Number.parseInt(process.versions.node, 10) < nodeMin) throw new Trouble(`Node ${nodeMin} or newer is needed to begin; this is ${process.version}.`);
  if (!['linux', 'darwin'].includes(process.platform)) throw new Trouble(`Linux or macOS is needed; on Windows use WSL.`);
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
  if (command === undefined) throw new Trouble(`${name === undefined ? 'No command was given' : `There is no command ${name}`}.\n${listOfCommands()}`, 2);
  const { setUp } = await import('./setup.mjs');
  const { node, env } = await setUp(root, command);
  runCommand(node, command.entry, args, env);
}

main(process.argv.slice(2)).catch((error) => {
  const known = error instanceof Trouble ? error.message : error.code === 'ENOSPC' ? 'The disk is full.' : error.stack;
  process.stderr.write(`${known}\n`);
  process.exitCode = error.exitCode ?? 1;
});
