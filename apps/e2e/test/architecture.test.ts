import { describe, expect, it } from 'vitest';
import {
  checkArrows, checkCommandTable, checkDeclaredArrows, checkDuplicates, checkImportCycles, checkLayout, checkLockFile, checkMachineTraces,
  checkPackageTable, checkProcessFiles, checkReadmePaths, checkReadmes, checkSeedFileMap, checkTests, packageFolders, readSourceTree, storeyOf,
} from '../src/index.ts';

const files = readSourceTree();
const processes = ['apps/gateway', 'apps/combat-worker', 'apps/moderation-worker'];
const seedFiles = [
  'SocketServer', 'authMiddleware', 'redisAdapter', 'connectionHandlers', 'chatHandler', 'characterHandler', 'combatHandler',
  'RoomService', 'RealtimeService', 'socket.types', 'logger', 'socketClient.test',
];
const textOf = (path: string): string => files.find((file) => file.path === path)?.text ?? '';

describe('storeys', () => {
  it('are given to every package and app that exists', () => {
    expect(packageFolders(files)).toEqual(Object.keys(storeyOf).sort());
  });
  it('are only left downwards by imports', () => {
    expect(checkArrows(files)).toEqual([]);
  });
  it('are only left downwards by declared dependencies', () => {
    expect(checkDeclaredArrows(files)).toEqual([]);
  });
  it('hold no circle of imports', () => {
    expect(checkImportCycles(files)).toEqual([]);
  });
});

describe('the layout', () => {
  it('has short files, few folders, speaking names', () => {
    expect(checkLayout(files)).toEqual([]);
  });
  it('spells the files of every process the same', () => {
    expect(checkProcessFiles(files, processes)).toEqual([]);
  });
  it('repeats no block of code', () => {
    expect(checkDuplicates(files)).toEqual([]);
  });
  it('has tests that run, wait for conditions and can fail', () => {
    expect(checkTests(files)).toEqual([]);
  });
});

describe('the documents', () => {
  it('are there for every package and fit two screens', () => {
    expect(checkReadmes(files)).toEqual([]);
  });
  it('name paths that exist', () => {
    expect(checkReadmePaths(files)).toEqual([]);
  });
  it('list every package', () => {
    expect(checkPackageTable(files)).toEqual([]);
  });
  it('list every command', () => {
    expect(checkCommandTable(files)).toEqual([]);
  });
  it('lead from each file of the seed to a place that exists', () => {
    expect(checkSeedFileMap(files, seedFiles)).toEqual([]);
  });
});

describe('the repository', () => {
  it('locks versions without addresses', () => {
    expect(textOf('pnpm-lock.yaml')).toContain('lockfileVersion');
    expect(checkLockFile(textOf('pnpm-lock.yaml'))).toEqual([]);
  });
  it('holds no trace of one machine', () => {
    expect(checkMachineTraces(files)).toEqual([]);
  });
});
