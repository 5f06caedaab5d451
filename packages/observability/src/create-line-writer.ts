import { writeSync } from 'node:fs';

/** A destination for pino that neither blocks the event loop nor keeps a process from ending. */
export interface LineWriter {
  /** Writes at once what the reader takes and keeps the rest; `line` ends with a line feed. */
  write(line: string): void;
  /** Calls back when nothing waits any more, because it was written or because the reader is gone. */
  flush(done: () => void): void;
}

export interface LineWriterOptions {
  /** A file, or a pipe or socket that does not block. */
  readonly fd: number;
  /** Most bytes that wait for a slow reader; later lines are dropped, counted and reported. Default 16 MiB. */
  readonly bytesMax?: number;
}

const retryMs = 10;
const exitPatienceMs = 300;

/** Lines stay in order and whole. When the reader is gone they are dropped; when the process exits a reader that stands still gets 300 ms. */
export function createLineWriter(options: LineWriterOptions): LineWriter {
  return new BoundedLineWriter(options);
}

class BoundedLineWriter implements LineWriter {
  readonly #fd: number;
  readonly #bytesMax: number;
  readonly #waiting: Buffer[] = [];
  readonly #flushed: (() => void)[] = [];
  #waitingBytes = 0;
  #droppedLines = 0;
  #broken = false;

  constructor({ fd, bytesMax = 16 * 1_024 * 1_024 }: LineWriterOptions) {
    this.#fd = fd;
    this.#bytesMax = bytesMax;
  }

  write(line: string): void {
    if (this.#broken) return;
    if (this.#waitingBytes + line.length > this.#bytesMax) this.#droppedLines += 1;
    else this.#writeOrKeep(line);
  }

  flush(done: () => void): void {
    if (this.#waiting.length === 0) done();
    else this.#flushed.push(done);
  }

  #writeOrKeep(line: string): void {
    const data = Buffer.from(line);
    const rest = this.#waiting.length === 0 ? this.#attempt(data) : data;
    if (rest.length > 0 && !this.#broken) this.#keep(rest);
  }

  /** What the reader did not take of it. */
  #attempt(data: Buffer): Buffer {
    let rest = data;
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#fd, rest));
    } catch (error) {
      this.#broken = (error as NodeJS.ErrnoException).code !== 'EAGAIN';
    }
    return rest;
  }

  #keep(rest: Buffer): void {
    if (this.#waiting.length === 0) {
      process.on('exit', this.#writeTheRest);
      setTimeout(this.#pump, retryMs).unref();
    }
    this.#waiting.push(rest);
    this.#waitingBytes += rest.length;
  }

  /** Answers whether nothing waits any more. */
  #writeWaiting(): boolean {
    for (let first = this.#waiting.shift(); first !== undefined; first = this.#waiting.shift()) {
      const rest = this.#attempt(first);
      this.#waitingBytes -= first.length - rest.length;
      if (this.#broken) break;
      if (rest.length > 0) {
        this.#waiting.unshift(rest);
        return false;
      }
    }
    this.#waiting.length = 0;
    return true;
  }

  readonly #pump = (): void => {
    if (!this.#writeWaiting()) {
      setTimeout(this.#pump, retryMs).unref();
      return;
    }
    process.off('exit', this.#writeTheRest);
    if (this.#droppedLines > 0) this.#writeOrKeep(reportOf(this.#droppedLines));
    this.#droppedLines = 0;
    for (const done of this.#flushed.splice(0)) done();
  };

  readonly #writeTheRest = (): void => {
    // Counted in looks: by a clock, a stall of the whole machine would be taken for one of the reader.
    for (let looks = exitPatienceMs / retryMs; looks > 0 && !this.#writeWaiting(); looks -= 1) pause(retryMs);
  };
}

function reportOf(lines: number): string {
  return `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), pid: process.pid, lines, msg: 'log lines were dropped, their reader is too slow' })}\n`;
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
