/** A package with known faults: no version below `floor` may be installed. */
export interface VersionFloor {
  readonly name: string;
  readonly floor: string;
  /** What the versions below it allow. */
  readonly because: readonly string[];
  /** True: a second version beside it would be one that nobody looks at. */
  readonly onlyOne?: true;
}

/** Known vulnerabilities of what stands between a stranger and our handlers, and the versions that mended them. */
export const versionFloors: readonly VersionFloor[] = [
  { name: 'ws', floor: '8.21.0', onlyOne: true, because: ['CVE-2026-48779 memory by tiny fragments', 'CVE-2026-45736 disclosed memory', 'CVE-2024-37890 crash by many headers'] },
  { name: 'socket.io', floor: '4.6.2', because: ['CVE-2024-38355 crash by an unhandled error'] },
  { name: 'socket.io-parser', floor: '4.2.6', because: ['CVE-2026-33151 unbounded attachments', 'CVE-2023-32695 and CVE-2022-2421 packets that were not validated', 'CVE-2020-36049 memory'] },
  { name: 'engine.io', floor: '6.4.2', because: ['CVE-2023-31125, CVE-2022-41940 and CVE-2022-21676 crash by an uncaught exception', 'CVE-2020-36048 memory'] },
  { name: 'ioredis', floor: '6.0.0', onlyOne: true, because: ['redis/ioredis#2108 stack exhausted by a deep answer'] },
];

/** Packages that may not be there at all, and why. */
export const unwantedPackages: Readonly<Record<string, string>> = {
  'redis-parser': 'redis/ioredis#2108: ioredis 6 reads answers by itself, so this would come with an older client beside it',
};
