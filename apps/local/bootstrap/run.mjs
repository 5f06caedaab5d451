import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { commands, listOfCommands } from './commands.mjs';
import { say, Trouble } from './progress.mjs';

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const nodeMin = 18;
const parentLookMs = 1000;

/** Runs the command under the right Node and ends with its exit code; nothing of it outlives us, nor us our npm. */
function runCommand(node, { app = 'local', entry }, args, env) {
  const nodeArgs = ['--conditions=skirmish-source', join(root, 'apps', app, 'src', entry)];
  const child = spawn(node, [...nodeArgs, ...args], { cwd: root, env, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  // Ctrl-C reaches the command by itself; signals that only we get are passed on as a word, which may come twice.
  const stop = () => {
    if (child.connected) child.send({ type: 'stop' }, () => undefined);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  const parents = npmAbove();
  if (process.env.npm_lifecycle_event !== undefined) setInterval(() => (npmAbove() === parents ? undefined : stop()), parentLookMs).unref();
  child.once('error', (error) => {
    say(`${node} cannot be run: ${error.message}`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** Who is above us, up to npm, as a text: npm runs a script in a shell, and when npm is killed only the shell's parent changes. */
function npmAbove() {
  const [program, above] = process.platform === 'linux' ? fromProc(process.ppid) : fromPs(process.ppid);
  return /^-?(ba|da)?sh$/.test(basename(program)) ? `${process.ppid} ${above}` : `${process.ppid}`;
}

function fromProc(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return [stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')), stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]];
  } catch {
    return ['', ''];
  }
}

function fromPs(pid) {
  const { stdout } = spawnSync('ps', ['-p', String(pid), '-o', 'ppid=,comm='], { encoding: 'utf8' });
  const [above = '', program = ''] = stdout.trim().split(/\s+/);
  return [program, above];
}

function sentenceOf(error) {
  if (error instanceof Trouble) return error.message;
  if (error.code === 'ENOSPC') return 'The disk is full: free some space and start again.';
  if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) return `${error.path ?? root} may not be written; does this clone belong to another user?`;
  return error.stack;
}

async function main([name, ...args]) {
  if (Number.parseInt(process.versions.node, 10) < nodeMin) throw new Trouble(`Node ${nodeMin} or newer is needed to begin; this is ${process.version}.`);
  if (!['linux', 'darwin'].includes(process.platform)) throw new Trouble(`Linux or macOS is needed; on Windows use WSL.`);
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
  if (command === undefined) throw new Trouble(`${name === undefined ? 'No command was given' : `There is no command ${name}`}.\n${listOfCommands()}`, 2);
  const { setUp } = await import('./setup.mjs');
  const { node, env } = await setUp(root, command);
  runCommand(node, command, args, env);
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${sentenceOf(error)}\n`);
  process.exitCode = error.exitCode ?? 1;
});
