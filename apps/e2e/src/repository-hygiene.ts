import { isTest, isTypeScript, type SourceFile } from './source-tree.ts';

/** The lock file names versions and checksums, never an address: another registry must be able to serve it. */
export function checkLockFile(text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const found = /\b(?:https?|git\+[a-z]+):\/\/|\btarball:/.test(line) && !/^\s+deprecated:/.test(line);
    return found ? [`pnpm-lock.yaml:${index + 1}: ${line.trim()}`] : [];
  });
}

const machinePath = /(?<![A-Za-z0-9_.~}/-])\/(?:work|farm|home|Users|private\/tmp|tmp\/spike)\/[A-Za-z]/;
const registryHost = new RegExp(['registry\\.(?:npm', 'js|yarn', 'pkg)'].join(''));

/** No tracked text holds a path of one machine or the host of a package registry. */
export function checkMachineTraces(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    file.text.split('\n').flatMap((line, index) => (machinePath.test(line) || registryHost.test(line) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

const testFaults: readonly (readonly [RegExp, string])[] = [
  [/\b(?:it|test|describe)\.(?:only|skip|todo)\b/, 'a test that does not run'],
  [/\bnew Promise[^;]*\bsetTimeout\((?:r|res|resolve|done)\b/, 'a test sleeps: wait for a condition with eventually'],
  [/\bsetTimeout\b.*from 'node:timers\/promises'/, 'a test sleeps: wait for a condition with eventually'],
  [/\bexpect\(true\)|\bvi\.(?:mock|useFakeTimers)\(/, 'a test that proves nothing, or a mock'],
];

/** Names every test that is switched off, sleeps or cannot fail. */
export function checkTests(files: readonly SourceFile[]): string[] {
  return files.filter((file) => isTypeScript(file) && isTest(file)).flatMap((file) =>
    file.text.split('\n').flatMap((line, index) =>
      testFaults.filter(([pattern]) => pattern.test(line)).map(([, reason]) => `${file.path}:${index + 1}: ${reason}`),
    ),
  );
}
