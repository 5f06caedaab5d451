import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

import { signalTree } from './process-tree.ts';

/** A foreign server program that cannot outlive the process that started it. */
export interface GuardedServer {
  readonly pid: number;
  /** Resolves to the exit code, null after a signal. */
  readonly exited: Promise<number | null>;
  isRunning(): boolean;
  /** The last 64 kB of what the program printed. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** The signal goes to the program and its children, as SIGSTOP and SIGCONT must. */
  signalAll(signal: NodeJS.Signals): void;
  /** Sends the stop signal, after `timeoutMs` SIGKILL; resolves when the program is gone. */
  stop(timeoutMs?: number): Promise<void>;
}

export interface GuardedServerOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** The signal that makes this program stop in order. */
  stopSignal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT';
  /** Hears what the program prints, in pieces as they come. */
  onOutput?: (text: string) => void;
}

const outputCharsMax = 65_536;

/**
 * A shell of one screen holds a pipe to us. However we end, SIGKILL included, the pipe closes; the shell then stops the server and,
 * 5 s later, kills it. A death signal of the kernel would do the same on Linux only, and only until the program changes its user.
 */
const guardScript = `
exec 4<&0
signal=$1; shift
"$@" </dev/null 3>&- 4<&- &
child=$!
echo "$child" >&3
exec 3>&-
(
  read -r _ <&4
  kill -s CONT "$child"; kill -s "$signal" "$child"
  n=0
  while [ "$n" -lt 50 ]; do kill -0 "$child" || exit 0; sleep 0.1; n=$((n + 1)); done
  kill -s KILL "$child"
) >/dev/null 2>&1 &
watch=$!
exec 4<&- </dev/null
wait "$child"
code=$?
kill "$watch" 2>/dev/null
exit "$code"
`;

/** Starts a server program under the guard and resolves once its process id is known; says nothing yet about its being ready. */
export async function startGuarded(options: GuardedServerOptions): Promise<GuardedServer> {
  const child = spawn('/bin/sh', ['-c', guardScript, 'guard', options.stopSignal.slice(3), options.command, ...options.args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C in the terminal is for the process that stops its servers in order, not for them.
    detached: true,
  });
  let running = true;
  let text = '';
  const keep = (chunk: Buffer): void => {
    text = (text + chunk.toString()).slice(-outputCharsMax);
    options.onOutput?.(chunk.toString());
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.stdin.on('error', () => undefined);
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      running = false;
      endGroup(child.pid);
      resolve(code !== null && code < 128 ? code : null);
    });
  });
  const pid = await readPid(child);
  const signal = (name: NodeJS.Signals): void => {
    if (running) sendSignal(pid, name);
  };
  const stop = async (timeoutMs = 10_000): Promise<void> => {
    if (!running) return;
    signalTree(pid, 'SIGCONT');
    signal(options.stopSignal);
    const timer = setTimeout(() => {
      signal('SIGKILL');
    }, timeoutMs);
    await exited;
    clearTimeout(timer);
  };
  return {
    pid,
    exited,
    isRunning: () => running,
    output: () => text,
    signal,
    signalAll: (name) => {
      if (running) signalTree(pid, name);
    },
    stop,
  };
}

/** Workers of a program that was killed (nginx has such) go on and hold its port: they are still in the group of the guard. */
function endGroup(guardId: number | undefined): void {
  if (guardId !== undefined) sendSignal(-guardId, 'SIGKILL');
}

async function readPid(child: ChildProcess): Promise<number> {
  const pipe = child.stdio[3] as Readable | null;
  if (pipe === null) throw new Error('the guard has no pipe to say its process id');
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
  });
  const pid = await Promise.race([failed, readAll(pipe)]);
  const value = Number.parseInt(pid, 10);
  if (!Number.isInteger(value)) throw new Error('the guard ended before it started the server');
  return value;
}

async function readAll(pipe: Readable): Promise<string> {
  let text = '';
  for await (const chunk of pipe) text += String(chunk);
  return text;
}

function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
