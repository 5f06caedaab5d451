const stillEveryMs = 10_000;

/** A failure that one sentence explains; no stack is shown. */
export class Trouble extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Writes one line of progress. */
export function say(line) {
  process.stdout.write(`${line}\n`);
}

/** Says what is being done, that it still is, and how long it took. */
export async function step(what, work) {
  const startedAt = Date.now();
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  say(`· ${what} …`);
  const timer = setInterval(() => say(`· ${what} … still at it after ${seconds()}`), stillEveryMs);
  try {
    const result = await work();
    say(`✓ ${what}: ${seconds()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
