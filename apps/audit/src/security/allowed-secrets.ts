/** A text that looks like a secret and is none. */
export interface AllowedSecret {
  /** The file, or the folder with its slash; the same text elsewhere is a finding. */
  readonly in: string;
  /** As the finding says it. */
  readonly fingerprint: string;
  readonly reason: string;
}

export const allowedSecrets: readonly AllowedSecret[] = [
  { in: 'apps/e2e/test/_fuzz-frames.ts', fingerprint: '7723884da3d9', reason: 'an unsigned token, which every gateway has to refuse' },
  { in: 'packages/protocol/samples/', fingerprint: '642f90be34d5', reason: 'the sample of a token: its signature is the word "signature"' },
  { in: 'apps/gateway/test/_gateway.ts', fingerprint: '0b4a9aa58652', reason: 'signs the tokens of gateways that live as long as a test' },
  { in: 'packages/auth/src/create-verifier.test.ts', fingerprint: 'dd367fcc36d2', reason: 'the id of a token that a test makes, not the token' },
  { in: 'apps/gateway/test/', fingerprint: '9dbcecfb9718', reason: 'signs a token that has to be refused' },
  { in: 'apps/gateway/test/service-api.test.ts', fingerprint: 'dab006b66675', reason: 'signs a token that has to be refused' },
  { in: 'apps/local/test/commands.test.ts', fingerprint: '5ccefdc77432', reason: 'a password that must not be shown; no server has it' },
  { in: 'apps/moderation-worker/test/backend-events.test.ts', fingerprint: '98c1eb4ee934', reason: 'the word "word", in an address that has to be refused' },
  { in: 'packages/config/src/', fingerprint: '30c952fab122', reason: 'the letters "pw", which must not be shown' },
  { in: 'packages/config/src/', fingerprint: 'dc8331bcb228', reason: 'the word "hush", which must not be shown' },
  { in: 'packages/config/src/', fingerprint: '148de9c5a7a4', reason: 'the letter "p", which must not be shown' },
  { in: 'packages/config/src/', fingerprint: '98c1eb4ee934', reason: 'the word "word", in an address that has to be refused' },
  { in: 'packages/database/src/database.ts', fingerprint: '5e884898da28', reason: 'the form of an address, in its documentation' },
  { in: 'packages/observability/src/', fingerprint: 'dc8331bcb228', reason: 'the word "hush", which must not be logged' },
  { in: 'packages/protocol/src/rejection.test.ts', fingerprint: '2bb80d537b1d', reason: 'the word "secret", which must not reach a client' },
];
