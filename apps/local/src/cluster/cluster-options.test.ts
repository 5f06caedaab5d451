import { expect, it } from 'vitest';
import { readClusterSize } from './cluster-options.ts';

it('reads every flag and has the defaults of the contract', () => {
  expect(readClusterSize('npm start', [])).toEqual({
    port: 8080, gateways: 2, combatWorkers: 1, moderationWorkers: 1, bots: 0, players: 500, realms: ['main'], fresh: false,
  });
  const given = '--port 9000 --gateways 3 --combat-workers 2 --moderation-workers 0 --bots 5 --players 600 --realms main,eu --fresh'.split(' ');
  expect(readClusterSize('npm start', given)).toEqual({
    port: 9000, gateways: 3, combatWorkers: 2, moderationWorkers: 0, bots: 5, players: 600, realms: ['main', 'eu'], fresh: true,
  });
});

it.each([
  [['--port', '0'], '--port is between 1 and 65535, not 0.'],
  [['--port', '70000'], '--port is between 1 and 65535, not 70000.'],
  [['--gateways', '0'], '--gateways is between 1 and 64, not 0.'],
  [['--bots', '6', '--players', '5'], '--bots is between 0 and 5, not 6.'],
  [['--realms', 'main,a b'], '"a b" is no realm'],
  [['--realms', ''], '"" is no realm'],
  [['--prot', '1'], '--moderation-workers'],
])('refuses %j with a sentence', (args, sentence) => {
  expect(() => readClusterSize('npm start', args)).toThrow(sentence);
});
