export { roles, type Role } from './claims.ts';
export { createVerifier, tokenLengthMax, type Identity, type Verifier, type VerifierOptions } from './create-verifier.ts';
export { signRefreshToken, signToken, type SignedToken, type SignOptions } from './sign-token.ts';
export { secretBytesMin } from './signing-key.ts';
