import { fileURLToPath } from 'node:url';
import { startProcess } from '@skirmish/testing';
import { supervise, type Running, type Supervised } from '../cluster/supervise.ts';

export interface BotsOptions {
  url: string;
  realm: string;
  bots: number;
  /** How many players the world has: bots are the last of them. */
  players: number;
  onChange: () => void;
  report: (line: string) => void;
}

/** Starts the process in which the bots live. */
export function startBots({ url, realm, bots, players, onChange, report }: BotsOptions): Promise<Supervised<Running>> {
  const entry = fileURLToPath(new URL('./main.ts', import.meta.url));
  const args = [url, realm, String(bots), String(players)];
  return supervise<Running>({ name: 'bots', onChange, report, launch: (signal) => startProcess({ name: 'bots', entry, args, signal }) });
}
