import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { readableDuration, say } from './terminal.ts';
import { Trouble } from './trouble.ts';

/** A program of the host and how its package managers call it. */
interface HostTool {
  title: string;
  programs: readonly string[];
  packages: { apt: string; brew: string; dnf: string; pacman: string; apk: string };
  /** Services that the package would enable for the next boot. */
  services: readonly string[];
  /** Said where it cannot be installed. */
  otherwise: string;
  /** The oldest version that will do, and how the program prints it. */
  versionMin?: { major: number; pattern: RegExp };
}

const redis: HostTool = {
  title: 'Redis',
  programs: ['redis-server', 'valkey-server'],
  packages: { apt: 'redis-server', brew: 'redis', dnf: 'valkey', pacman: 'valkey', apk: 'redis' },
  services: ['redis-server'],
  otherwise: 'or give the address of one: REDIS_URL=redis://127.0.0.1:6379 npm start',
  versionMin: { major: 7, pattern: /v=(\d+)/ },
};

const nginx: HostTool = {
  title: 'nginx',
  programs: ['nginx'],
  packages: { apt: 'nginx', brew: 'nginx', dnf: 'nginx', pacman: 'nginx', apk: 'nginx' },
  services: ['nginx'],
  otherwise: 'the tests use the real one',
};

// Debian keeps servers in folders that are not on the PATH of an ordinary user.
const moreFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/bin', '/usr/local/bin'];

/** Resolves to the path of redis-server or valkey-server, installed by the host's package manager where there was none; rejects with one sentence. */
export const ensureRedis = (): Promise<string> => ensure(redis);

/** Resolves to the path of nginx, installed by the host's package manager where there was none; rejects with one sentence. */
export const ensureNginx = (): Promise<string> => ensure(nginx);

/** Returns the path of nginx, or null: `npm start` uses it where it is and installs nothing for it. */
export const findNginx = (): string | null => findProgram(nginx.programs);

/** Looks for the first of these programs on the PATH and in the usual folders for servers. */
export function findProgram(names: readonly string[]): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), ...moreFolders];
  for (const name of names) {
    const found = folders.map((folder) => join(folder, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return null;
}

async function ensure(tool: HostTool): Promise<string> {
  const present = findProgram(tool.programs);
  if (present !== null) return newEnough(tool, present);
  const installer = installerFor(tool);
  if (installer === null) throw new Trouble(missingSentence(tool));
  const startedAt = performance.now();
  say(`· ${tool.title} is missing; installing it with ${installer.by} (no service is started) …`);
  const output = await runToEnd(installer.command, installer.env);
  const found = findProgram(tool.programs);
  if (found === null) throw new Trouble(`${tool.title} could not be installed. ${missingSentence(tool)}\n${output.slice(-2_000)}`);
  say(`✓ ${tool.title}: ${readableDuration(performance.now() - startedAt)}`);
  return newEnough(tool, found);
}

function newEnough({ title, versionMin, otherwise }: HostTool, program: string): string {
  if (versionMin === undefined) return program;
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const major = Number(versionMin.pattern.exec(stdout)?.[1] ?? versionMin.major);
  if (major >= versionMin.major) return program;
  throw new Trouble(`${program} is ${title} ${major}, and ${versionMin.major} or newer is needed: install one (${otherwise}).`);
}

interface Installer {
  by: string;
  command: readonly string[];
  env: Record<string, string>;
}

function installerFor(tool: HostTool): Installer | null {
  if (process.platform === 'darwin') {
    if (findProgram(['brew']) === null) return null;
    return { by: 'brew', command: ['brew', 'install', tool.packages.brew], env: { HOMEBREW_NO_AUTO_UPDATE: '1' } };
  }
  if (findProgram(['apt-get']) === null) return null;
  const script = ['sh', '-c', aptScript, 'install', tool.packages.apt, ...tool.services];
  if (process.getuid?.() === 0) return { by: 'apt-get', command: script, env: {} };
  if (findProgram(['sudo']) === null || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) return null;
  return { by: 'sudo apt-get', command: ['sudo', '-n', ...script], env: {} };
}

/**
 * `policy-rc.d` forbids the package to start its service now; the service that came with it is then disabled, so that it does not start at the next boot
 * either. `needrestart` would restart services of the host after an installation. A policy of the host itself is left alone.
 */
export const aptScript = `
set -e
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l LC_ALL=C
package=$1; shift
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ] || grep -q 'skirmish: temporary' "$policy"; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\n# skirmish: temporary, no service starts while a package is installed\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
install() { apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "$package"; }
install || { apt-get update -q && install; }
for service in "$@"; do
  systemctl disable "$service" >/dev/null 2>&1 || true
  update-rc.d "$service" disable >/dev/null 2>&1 || true
done
`;

function missingSentence(tool: HostTool): string {
  const { apt, brew, dnf, pacman, apk } = tool.packages;
  const commands: readonly [program: string, command: string][] = [
    ['apt-get', `sudo apt-get install --no-install-recommends ${apt}`],
    ['brew', `brew install ${brew}`],
    ['dnf', `sudo dnf install ${dnf}`],
    ['pacman', `sudo pacman -S ${pacman}`],
    ['apk', `sudo apk add ${apk}`],
  ];
  const command = commands.find(([program]) => findProgram([program]) !== null)?.[1] ?? `install ${tool.title} by hand`;
  return `${tool.title} is missing and cannot be installed without a password. Type: ${command} (${tool.otherwise}).`;
}

function runToEnd([command = '', ...args]: readonly string[], env: Record<string, string>): Promise<string> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => resolve(error.message));
    child.once('close', () => resolve(output));
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
