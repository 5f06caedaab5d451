import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@skirmish/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLineWriter, type LineWriter } from './create-line-writer.ts';

let folder: string;
const open: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lines-'));
});
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  rmSync(folder, { recursive: true });
});

/** A pipe as the log of a container is one: it takes 64 KiB, then nothing until somebody reads. */
function makePipe(): { writeFd: number; read: () => string; closeReader: () => void } {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  open.push(readFd, writeFd);
  const buffer = Buffer.alloc(32_768);
  return {
    writeFd,
    read() {
      try {
        return buffer.toString('utf8', 0, readSync(readFd, buffer));
      } catch {
        return '';
      }
    },
    closeReader: () => closeSync(open.splice(open.indexOf(readFd), 1)[0]!),
  };
}

const lineOf = (index: number): string => `${JSON.stringify({ index, filler: 'é'.repeat(100) })}\n`;
const flushed = (writer: LineWriter): Promise<void> => new Promise((resolve) => writer.flush(resolve));

async function readAll(read: () => string, writer: LineWriter, first = ''): Promise<{ index?: number; lines?: number; msg?: string }[]> {
  let text = first;
  let done = false;
  void flushed(writer).then(() => (done = true));
  await eventually(() => {
    for (let part = read(); part !== ''; part = read()) text += part;
    return done;
  });
  for (let part = read(); part !== ''; part = read()) text += part;
  return text.trimEnd().split('\n').map((line) => JSON.parse(line) as { index?: number });
}

describe('createLineWriter', () => {
  it('has written a line when write returns, where the reader takes it', () => {
    const path = join(folder, 'file');
    const fd = openSync(path, 'a');
    open.push(fd);
    const writer = createLineWriter({ fd });
    writer.write('one\n');
    writer.write('two\n');
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  });

  it('keeps what a slow reader does not take and delivers it whole and in order', async () => {
    const { writeFd, read } = makePipe();
    const writer = createLineWriter({ fd: writeFd });
    for (let index = 0; index < 2_000; index += 1) writer.write(lineOf(index));
    const lines = await readAll(read, writer);
    expect(lines.map(({ index }) => index)).toEqual(Array.from({ length: 2_000 }, (_, index) => index));
  });

  it('lets no line overtake those that wait, although the reader would take it', async () => {
    const { writeFd, read } = makePipe();
    const writer = createLineWriter({ fd: writeFd });
    for (let index = 0; index < 1_000; index += 1) writer.write(lineOf(index));
    const first = read();
    writer.write(lineOf(1_000));
    const lines = await readAll(read, writer, first);
    expect(lines.map(({ index }) => index)).toEqual(Array.from({ length: 1_001 }, (_, index) => index));
  });

  it('goes on directly once the reader has caught up', async () => {
    const listeners = process.listeners('exit');
    const { writeFd, read } = makePipe();
    const writer = createLineWriter({ fd: writeFd });
    for (let index = 0; index < 1_000; index += 1) writer.write(lineOf(index));
    await readAll(read, writer);
    writer.write('"last"\n');
    expect(read()).toBe('"last"\n');
    expect(process.listeners('exit')).toEqual(listeners);
  });

  it('drops new lines beyond its limit and says how many', async () => {
    const { writeFd, read } = makePipe();
    const writer = createLineWriter({ fd: writeFd, bytesMax: 100_000 });
    for (let index = 0; index < 2_000; index += 1) writer.write(lineOf(index));
    const lines = await readAll(read, writer);
    const kept = lines.length - 1;
    expect(kept).toBeLessThan(1_000);
    expect(lines.slice(0, kept).map(({ index }) => index)).toEqual(Array.from({ length: kept }, (_, index) => index));
    expect(lines.at(-1)).toMatchObject({ level: 'warn', lines: 2_000 - kept, msg: expect.stringContaining('dropped') });
  });

  it('reports dropped lines once and takes new ones afterwards', async () => {
    const { writeFd, read } = makePipe();
    const writer = createLineWriter({ fd: writeFd, bytesMax: 100_000 });
    for (let index = 0; index < 2_000; index += 1) writer.write(lineOf(index));
    await readAll(read, writer);
    for (let index = 0; index < 600; index += 1) writer.write(lineOf(index));
    const again = await readAll(read, writer);
    expect(again.map(({ index }) => index)).toEqual(Array.from({ length: 600 }, (_, index) => index));
  });

  it('flushes at once when nothing waits', async () => {
    const { writeFd } = makePipe();
    await flushed(createLineWriter({ fd: writeFd }));
  });

  it('gives up quietly when the reader is gone, also for lines that waited', async () => {
    const { writeFd, closeReader } = makePipe();
    const writer = createLineWriter({ fd: writeFd });
    for (let index = 0; index < 1_000; index += 1) writer.write(lineOf(index));
    closeReader();
    await flushed(writer);
    writer.write('nobody reads this\n');
    await flushed(writer);
  });

  it('gives up quietly when the reader was gone before the first line', async () => {
    const { writeFd, closeReader } = makePipe();
    closeReader();
    const writer = createLineWriter({ fd: writeFd });
    writer.write('nobody reads this\n');
    await flushed(writer);
  });
});
