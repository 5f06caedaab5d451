import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, type Config, type Shape } from '@skirmish/config';
import { clusterFileOf, readClusterFile } from './cluster/cluster-file.ts';
import { environmentOf } from './cluster/environment.ts';
import { FlagError } from './flags.ts';
import { localFolder, repositoryRoot } from './local-folder.ts';
import { complain, say } from './terminal.ts';
import { explain } from './trouble.ts';

const configFile = (app: string): string => join(repositoryRoot, 'apps', app, 'src', 'config.ts');

const appNames = (): string[] => readdirSync(join(repositoryRoot, 'apps')).filter((name) => name !== 'local' && existsSync(configFile(name)));

/** Prints every variable of an app with the value with which it would start here, secrets hidden. */
async function showConfig([app, ...rest]: readonly string[]): Promise<void> {
  const names = appNames();
  if (app === undefined || rest.length > 0 || !names.includes(app)) {
    throw new FlagError(`npm run config takes the name of one app: ${names.join(', ')}.`);
  }
  // Apps never see each other: this one is read by its path, as a tool reads a file.
  const { config } = (await import(pathToFileURL(configFile(app)).href)) as { config: Config<Shape> };
  const running = readClusterFile(localFolder);
  const env = running === null ? { NODE_ENV: 'development', ...process.env } : environmentOf(localFolder, runningRealms(), new URL(running.url).port, running);
  const rows = config.describe(config.parse(env));
  const width = Math.max(...rows.map(({ name }) => name.length));
  say(running === null ? `${app}, from the environment of this shell:` : `${app}, as the running cluster starts it (${clusterFileOf('.local')}):`);
  for (const { name, value, source, description } of rows) say(`${name.padEnd(width)}  ${source.padEnd(8)}  ${value === '' ? '-' : value}    # ${description}`);
}

const runningRealms = (): string[] => (process.env['REALMS'] ?? 'main').split(',');

try {
  await showConfig(process.argv.slice(2));
} catch (error) {
  if (error instanceof ConfigError) {
    complain(error.message);
    process.exitCode = 2;
  } else process.exitCode = explain(error);
}
