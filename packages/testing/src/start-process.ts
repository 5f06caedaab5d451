import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a process of ours says when it is ready. */
export interface ReadyMessage {
  role?: string;
  id: string;
  publicPort?: number;
  internalPort?: number;
}

export interface ProcessOptions {
  /** For error messages. */
  name: string;
  /** Its `main.ts` (or built `main.js`): a path or a file URL. */
  entry: string | URL;
  /** Added to a minimal environment: nothing else of ours is inherited. */
  env?: Readonly<Record<string, string>>;
  args?: readonly string[];
  /** Options for Node itself. Default: resolve packages to their sources. */
  nodeArgs?: readonly string[];
  cwd?: string;
  /** Default 60,000. */
  readyTimeoutMs?: number;
  /** Hears what the process prints, in pieces as they come. */
  onOutput?: (text: string) => void;
  /** Kills the process while it is not ready yet. */
  signal?: AbortSignal;
}

/** A process of ours with its IPC channel; it ends by itself when this process ends. */
export interface ManagedProcess extends AsyncDisposable {
  readonly pid: number;
  /** The latest ready message. */
  readonly ready: ReadyMessage;
  /** The last 256 kB of what it printed. */
  output(): string;
  isRunning(): boolean;
  /** SIGTERM, after `timeoutMs` (default 15,000) SIGKILL; resolves to the exit code, null after a signal. */
  stop(timeoutMs?: number): Promise<number | null>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: it stays connected and does nothing. */
  pause(): void;
  resume(): void;
  readonly exited: Promise<number | null>;
  /** Sends a message over the IPC channel; nothing happens when the process is gone. */
  send(message: object): void;
  /** Hears later ready messages: a process whose id changes says so again. */
  onReady(listener: (ready: ReadyMessage) => void): void;
}

const outputCharsMax = 262_144;
const inherited = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'NODE_V8_COVERAGE'];

/** Starts a process of ours and resolves when it says that it is ready; rejects with its last words when it ends or stays silent. */
export async function startProcess(options: ProcessOptions): Promise<ManagedProcess> {
  const entry = options.entry instanceof URL || options.entry.startsWith('file:') ? fileURLToPath(options.entry) : options.entry;
  const child = fork(entry, [...(options.args ?? [])], {
    execArgv: [...(options.nodeArgs ?? ['--conditions=skirmish-source'])],
    env: environment(options.env ?? {}),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    // Ctrl-C in the terminal is for the process that stops the others in order.
    detached: true,
  });
  const state = follow(child, options);
  const abort = (): void => void child.kill('SIGKILL');
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    state.ready = await firstReady(state, options);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
  return managed(child, state);
}

interface State {
  text: string;
  running: boolean;
  ready: ReadyMessage;
  listeners: ((ready: ReadyMessage) => void)[];
  exited: Promise<number | null>;
}

function follow(child: ChildProcess, options: ProcessOptions): State {
  const state: State = { text: '', running: true, ready: { id: '' }, listeners: [], exited: Promise.resolve(null) };
  const keep = (chunk: Buffer): void => {
    state.text = (state.text + chunk.toString()).slice(-outputCharsMax);
    options.onOutput?.(chunk.toString());
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  state.exited = new Promise((resolve) => {
    child.once('exit', (code) => {
      state.running = false;
      resolve(code);
    });
    child.once('error', () => {
      state.running = child.exitCode === null && child.pid !== undefined && state.running;
      if (child.pid === undefined) resolve(null);
    });
  });
  child.on('message', (message) => {
    if (!isReady(message)) return;
    state.ready = message;
    for (const listener of state.listeners) listener(message);
  });
  return state;
}

function firstReady(state: State, options: ProcessOptions): Promise<ReadyMessage> {
  const { name, readyTimeoutMs = 60_000 } = options;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`${name} did not say that it is ready within ${readyTimeoutMs} ms:\n${state.text.slice(-4_000)}`));
    }, readyTimeoutMs);
    state.listeners.push((ready) => {
      clearTimeout(timer);
      resolve(ready);
    });
    void state.exited.then((code) => {
      clearTimeout(timer);
      reject(new Error(`${name} ended with code ${String(code)} before it was ready:\n${state.text.slice(-4_000)}`));
    });
  });
}

function managed(child: ChildProcess, state: State): ManagedProcess {
  const stop = async (timeoutMs = 15_000): Promise<number | null> => {
    if (!state.running) return state.exited;
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const code = await state.exited;
    clearTimeout(timer);
    return code;
  };
  return {
    pid: child.pid ?? -1,
    get ready() {
      return state.ready;
    },
    output: () => state.text,
    isRunning: () => state.running,
    stop,
    kill: async () => {
      child.kill('SIGKILL');
      await state.exited;
    },
    pause: () => {
      child.kill('SIGSTOP');
    },
    resume: () => {
      child.kill('SIGCONT');
    },
    exited: state.exited,
    send: (message) => {
      if (child.connected) child.send(message, () => undefined);
    },
    onReady: (listener) => {
      state.listeners.push(listener);
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

function isReady(message: unknown): message is ReadyMessage {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready' && 'id' in message;
}

function environment(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...(Object.fromEntries(kept) as Record<string, string>), ...extra };
}
