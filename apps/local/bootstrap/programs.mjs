import { spawn } from 'node:child_process';

import { Trouble } from './progress.mjs';

const outputCharsMax = 100_000;
const linesShown = 25;

/** Runs a program in silence; when it fails, throws a Trouble with its last lines and, where we know it, the reason in plain words. */
export function run(command, args, { cwd, env, what }) {
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk) => {
      output = (output + chunk).slice(-outputCharsMax);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => reject(new Trouble(`${what} failed: ${command} cannot be run (${error.message}).`)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Trouble(sentenceOf(output, what, code ?? signal)));
    });
  });
}

function sentenceOf(output, what, code) {
  // Its wording breaks lines anywhere.
  if (/ENOSPC|no\s+space\s+left\s+on\s+device/i.test(output)) return `${what} failed: the disk is full. Free some space and start again.`;
  return `${reasonOf(output, what, code)}\n${lastLines(output)}`;
}

function reasonOf(output, what, code) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|network/i.test(output)) return `${what} failed: the package registry cannot be reached.`;
  if (/EACCES|EPERM|permission denied/i.test(output)) return `${what} failed: a folder may not be written; does another user own files of this clone?`;
  return `${what} failed (${code}).`;
}

function lastLines(output) {
  return output.trimEnd().split('\n').slice(-linesShown).join('\n');
}
