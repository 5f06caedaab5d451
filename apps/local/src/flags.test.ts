import { describe, expect, it } from 'vitest';
import { FlagError, readFlags } from './flags.ts';

const flags = {
  port: { default: 8080, description: 'where the load balancer listens' },
  realms: { default: 'main', description: 'realms, separated by commas' },
  fresh: { default: false, description: 'forget all data first' },
};
const read = (...args: string[]) => readFlags('npm start', flags, args);

describe('flags', () => {
  it('have defaults, and are read in both spellings', () => {
    expect(read()).toEqual({ port: 8080, realms: 'main', fresh: false });
    expect(read('--port', '0', '--realms=a,b', '--fresh')).toEqual({ port: 0, realms: 'a,b', fresh: true });
  });

  it.each([
    [['--prot', '1'], 'npm start does not know --prot. Its flags, with their defaults:\n  --port 8080'],
    [['8080'], 'does not know 8080'],
    [['--constructor', '1'], 'does not know --constructor'],
    [['--port'], '--port needs a value'],
    [['--port', 'many'], '--port needs a whole number, not "many"'],
    [['--fresh=yes'], '--fresh takes no value'],
  ])('refuses %j with the list', (args, message) => {
    expect(() => read(...args)).toThrow(FlagError);
    expect(() => read(...args)).toThrow(message);
  });

  it('says so where a command takes none', () => {
    expect(() => readFlags('npm run check', {}, ['--fast'])).toThrow('npm run check does not know --fast. npm run check takes no flags.');
  });
});
