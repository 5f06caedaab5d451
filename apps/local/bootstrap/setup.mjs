import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { waitForLock } from './lock.mjs';
import { run } from './programs.mjs';
import { say, step, Trouble } from './progress.mjs';

const nodeVersion = '24.21.0';
const nodeMajor = 24;
const pnpmVersion = '12.21.0';
const installTriesMax = 3;
const diskBytesMin = 300 * 1024 * 1024;

/**
 * Brings Node, pnpm, the packages and (where asked) the build up to date, each only when it is not; two runs at once wait for each
 * other. Returns the environment in which the command runs and the path of its Node.
 */
export async function setUp(root, { build }) {
  const local = join(root, '.local');
  mkdirSync(local, { recursive: true });
  requireSpace(local);
  const release = await waitForLock(join(local, 'setup.lock'), (pid) => say(`· another run (process ${pid}) is setting up; waiting for it …`));
  try {
    const tools = await bringTools(local);
    const env = { ...process.env, PATH: [...tools.path, process.env.PATH].join(':'), TURBO_TELEMETRY_DISABLED: '1', CI: 'true' };
    await bringPackages(root, env);
    if (build) await bringBuild(root, local, env);
    return { node: tools.node, env: { ...process.env, PATH: env.PATH } };
  } finally {
    release();
  }
}

/** Node from npm where the host's is older, and pnpm from npm: whole or not at all, as the folder is renamed when it is complete. */
async function bringTools(local) {
  const hostNode = Number.parseInt(process.versions.node, 10) >= nodeMajor;
  const names = hostNode ? [`pnpm-${pnpmVersion}`] : [`node-${nodeVersion}`, `pnpm-${pnpmVersion}`];
  const home = join(local, 'tools', names.join('_'));
  const nodePackage = `node-${process.platform}-${process.arch}`;
  if (!existsSync(home)) {
    const dependencies = { pnpm: pnpmVersion, ...(hostNode ? {} : { [nodePackage]: nodeVersion }) };
    await step(`tools: ${names.join(' and ').replaceAll('-', ' ')} from npm`, () => retried(() => installTools(home, dependencies)));
  }
  const nodeFolder = hostNode ? dirname(process.execPath) : join(home, 'node_modules', nodePackage, 'bin');
  return { node: hostNode ? process.execPath : join(nodeFolder, 'node'), path: [nodeFolder, join(home, 'node_modules', 'pnpm')] };
}

async function installTools(home, dependencies) {
  const draft = `${home}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  writeFileSync(join(draft, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const args = ['install', '--prefix', draft, '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts=false', '--include=optional'];
  const [command, first] = npmProgram();
  await run(command, [...first, ...args], { cwd: draft, env: process.env, what: 'Bringing the tools with npm' });
  renameSync(draft, home);
}

/** The npm that runs this script, under the Node that runs it; else the one on the PATH. */
function npmProgram() {
  const path = process.env.npm_execpath ?? '';
  return /npm-cli\.c?js$/.test(path) ? [process.execPath, [path]] : ['npm', []];
}

async function bringPackages(root, env) {
  const stampFile = join(root, 'node_modules', '.skirmish-packages');
  const folders = workspaceFolders(root);
  const manifests = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...folders.map((folder) => join(folder, 'package.json'))];
  const stamp = hashOf([process.platform, process.arch, ...manifests.map((file) => readFileSync(join(root, file)))]);
  const present = folders.every((folder) => !hasDependencies(join(root, folder)) || existsSync(join(root, folder, 'node_modules')));
  if (present && read(stampFile) === stamp) return;
  const install = () => run('pnpm', ['install', '--frozen-lockfile'], { cwd: root, env, what: 'Installing the packages' });
  await step('packages: pnpm install from the lock file', () => retried(install));
  writeFileSync(stampFile, stamp);
}

async function bringBuild(root, local, env) {
  const stampFile = join(local, 'build.stamp');
  const folders = workspaceFolders(root);
  const stamp = hashOf([read(join(root, 'pnpm-lock.yaml')) ?? '', ...folders.flatMap((folder) => sourcesOf(join(root, folder)))]);
  if (read(stampFile) === stamp && folders.every((folder) => existsSync(join(root, folder, 'dist', 'index.js')))) return;
  rmSync(stampFile, { force: true });
  const args = ['exec', 'turbo', 'run', 'build', '--output-logs=errors-only', '--ui=stream'];
  await step('build', () => run('pnpm', args, { cwd: root, env, what: 'The build' }));
  writeFileSync(stampFile, stamp);
}

/** A registry or a mirror may fail for a moment; a full disk does not mend itself. */
async function retried(work) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === installTriesMax || !/registry/.test(error.message)) throw error;
      say(`· trying again (${tries + 1} of ${installTriesMax}): ${error.message.split('\n')[0]}`);
      await new Promise((resolve) => setTimeout(resolve, 2000 * tries));
    }
  }
}

function workspaceFolders(root) {
  return ['apps', 'packages'].flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => join(group, name))
      .filter((folder) => existsSync(join(root, folder, 'package.json')))
      .sort(),
  );
}

function hasDependencies(folder) {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return Object.keys({ ...dependencies, ...devDependencies }).length > 0;
}

/** Path, size and time of change of each source file. */
function sourcesOf(folder) {
  const walk = (path) =>
    readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
      const full = join(path, entry.name);
      if (entry.isDirectory()) return walk(full);
      const { size, mtimeMs } = statSync(full);
      return [`${full}:${size}:${mtimeMs}`];
    });
  return existsSync(join(folder, 'src')) ? walk(join(folder, 'src')).sort() : [];
}

function requireSpace(folder) {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize >= diskBytesMin) return;
  throw new Trouble(`The disk is full: less than ${diskBytesMin / 1024 / 1024} MB are free below ${folder}.`);
}

function hashOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
