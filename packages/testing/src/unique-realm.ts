import { randomBytes } from 'node:crypto';

/** Returns a realm id that no other test uses, so that suites can share one Redis: every key begins with the realm. */
export const uniqueRealm = (): string => `t${randomBytes(6).toString('hex')}`;
