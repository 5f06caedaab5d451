import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, startGuarded } from '@skirmish/testing';
import { repositoryRoot, writeAtomically } from '../local-folder.ts';
import type { Balancer, BalancerOptions } from './balancer.ts';
import { isListening } from './is-listening.ts';

/** How the template becomes a configuration. */
export interface NginxSettings {
  listen: string;
  upstreams: readonly number[];
}

/** Fills the template in `infra/nginx`. */
export function nginxConfiguration(template: string, { listen, upstreams }: NginxSettings): string {
  // One failure takes a gateway out for 2 s: nginx notices a dead one by itself before the next look at `/readyz`.
  const servers = upstreams.map((port) => `    server 127.0.0.1:${port} max_fails=1 fail_timeout=2s;`).join('\n');
  const values: Record<string, string> = { listen, servers, workers: '1', connections: '8192' };
  const configuration = template.replaceAll(/^(?!#)(.*)$/gm, (line) => line.replaceAll(/\$\{(\w+)\}/g, (_all, name: string) => values[name] ?? ''));
  return configuration;
}

/** Starts nginx with files of its own below `folder`; nothing of the host's nginx is read or touched. */
export async function startNginxBalancer(program: string, options: BalancerOptions): Promise<Balancer> {
  const { port, folder, upstreams } = options;
  mkdirSync(join(folder, 'temp'), { recursive: true });
  const template = readFileSync(join(repositoryRoot, 'infra', 'nginx', 'nginx.conf.template'), 'utf8');
  const configure = (ports: readonly number[]): void => {
    writeAtomically(join(folder, 'nginx.conf'), nginxConfiguration(template, { listen: `127.0.0.1:${port}`, upstreams: ports }));
  };
  configure(upstreams);
  const server = await startGuarded({
    command: program,
    args: ['-p', `${folder}/`, '-c', 'nginx.conf', ...errorLogArguments(program)],
    cwd: folder,
    stopSignal: 'SIGTERM',
    onOutput: options.onOutput,
  });
  await eventually(() => !server.isRunning() || isListening(port), { timeoutMs: 10_000, what: `nginx on port ${port}` });
  if (!server.isRunning()) throw new Error(`nginx ended while starting: ${server.output().trim().split('\n').slice(-3).join(' | ')}`);
  return {
    pid: server.pid,
    exited: server.exited,
    stop: (timeoutMs) => server.stop(timeoutMs),
    use: (ports) => {
      configure(ports);
      server.signal('SIGHUP');
    },
  };
}

/** Until it has read its configuration nginx writes to a log of the host; newer ones can be told otherwise. */
function errorLogArguments(program: string): string[] {
  // The version is written to the error output.
  const text = execFileSync('sh', ['-c', '"$1" -v 2>&1', 'version', program], { encoding: 'utf8' });
  const [major = 0, minor = 0, patch = 0] = (/(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1) ?? []).map(Number);
  return major * 1_000_000 + minor * 1_000 + patch >= 1_019_005 ? ['-e', 'stderr'] : [];
}
