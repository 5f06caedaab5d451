export type Lock = { release: () => void; holder: null } | { release: null; holder: number };
export function tryLock(file: string): Lock;
export function waitForLock(file: string, onWait: (holder: number) => void): Promise<() => void>;
export function lockHolder(file: string): number | null;
