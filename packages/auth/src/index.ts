export { roles, type Role } from './claims.ts';
export { createVerifier, type Identity, type RefreshIdentity, type Verifier, type VerifierOptions } from './create-verifier.ts';
export { createKeySet, type KeySet, type KeySetOptions } from './key-set.ts';
export { signRefreshToken, signToken, type RefreshOptions, type SignedToken, type SignOptions } from './sign-token.ts';
export { secretBytesMin } from './signing-key.ts';
