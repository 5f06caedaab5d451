import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../repository.ts';
import { allowedSecrets } from './allowed-secrets.ts';
import { suspicionsIn } from './secret-shapes.ts';
import { findSecrets, fingerprintOf, trackedFiles } from './secrets.ts';

// Put together here, so that this file holds no secret itself.
const [secretWord, tokenWord, passwordWord, upperSecret, upperKey, camelSecret, userName, authWord] = ['secret', 'token', 'password', 'SECRET', 'KEY', 'Secret', 'skirmish', ':_auth'];
const random = 'q7Zt2mWx9Lr4Vb8Nc1Ks6Hd3';
const base64 = (text: string): string => Buffer.from(text).toString('base64url');
const token = [base64('{"alg":"HS256"}'), base64('{"sub":"p1"}'), random].join('.');
const planted: readonly (readonly [kind: string, path: string, text: string, secret: string])[] = [
  ['private key', 'key.pem', `${['-----BEGIN', 'RSA PRIVATE KEY-----'].join(' ')}\n${random}\n`, '-----BEGIN'],
  ['private key', 'a.ts', `const key = '${['-----BEGIN', 'PRIVATE KEY-----'].join(' ')}\\n${random}';`, '-----BEGIN'],
  ['AWS key id', 'a.md', `use ${['AKIA', 'IOSFODNN7EXAMPLE'].join('')}`, 'AKIA'],
  ['GitHub token', 'a.sh', `curl -H ${['ghp', `${random}${random}`].join('_')}`, 'ghp_'],
  ['Slack token', 'a.json', `{"a":"${['xoxb', random].join('-')}"}`, 'xoxb'],
  ['npm token', '.npmrc', `//registry.example.org/${authWord}Token=${random}`, ':_au'],
  ['Google key', 'a.html', ['AIza', `${random}${random}`].join(''), 'AIza'],
  ['Stripe key', 'a.rb', ['sk', 'live', random].join('_'), 'sk_l'],
  ['JWT', 'README.md', `Authorization: Bearer ${token}`, token],
  ['password in an address', 'a.ts', `const url = 'postgres://${userName}:${random}@db/skirmish';`, random],
  ['password', 'a.txt', `host=db user=x ${passwordWord}=${random}`, random],
  ['value of a secret name', 'a.ts', `const signing${camelSecret}: string = '${random}';`, random],
  ['value of a secret name', 'a.json', `{"client_${secretWord}": "${random}"}`, random],
  ['value of a secret name', 'b.ts', `env['API_${upperKey}'] = "${random}";`, random],
  ['value of a secret name', 'c.ts', `login({ ${passwordWord}: \`${random}\` })`, random],
  ['value of a secret name', '.env', `JWT_${upperSecret}=${random}`, random],
  ['value of a secret name', 'deploy.yaml', `  JWT_${upperSecret}: ${random}`, random],
];

describe('a secret in a text', () => {
  it.each(planted)('is found: %s in %s', (kind, path, text, secret) => {
    expect(suspicionsIn(path, text).map((found) => found.kind)).toEqual([kind]);
    expect(suspicionsIn(path, text)[0]?.secret.startsWith(secret)).toBe(true);
  });

  it.each([
    ['a.ts', `const url = \`postgres://\${user}:\${${passwordWord}}@db/skirmish\`;`], ['a.md', 'redis://user:•••@bus and postgres://user:<password>@db'],
    ['a.ts', `const ${secretWord} = config.jwtSecret; const ${tokenWord} = await sign(options);`], ['a.ts', `const ${secretWord} = 'a sentence of many words that is no secret';`],
    ['a.ts', `const ${secretWord} = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';`], ['a.yaml', `${secretWord}: \${JWT_${upperSecret}}`], ['.env.example', `JWT_${upperSecret}=`],
    ['a.md', 'socket.io-parser 4.2.6 and packages.protocol.src are no tokens'], ['a.ts', `import { ${tokenWord} } from './bounds.ts';`],
  ])('is not seen where there is none: %s %s', (path, text) => {
    expect(suspicionsIn(path, text)).toEqual([]);
  });
});

describe('a repository', () => {
  const root = mkdtempSync(join(tmpdir(), 'skirmish-audit-'));
  beforeAll(() => {
    execFileSync('git', ['init', '-q'], { cwd: root });
    writeFileSync(join(root, 'one.ts'), `// first\nconst ${secretWord} = '${random}';\n`);
    writeFileSync(join(root, 'untracked.ts'), `const ${secretWord} = '${random}';\n`);
    writeFileSync(join(root, 'picture.bin'), Buffer.from([0, 1, 2]));
    execFileSync('git', ['add', 'one.ts', 'picture.bin'], { cwd: root });
  });
  afterAll(() => { rmSync(root, { recursive: true }); });

  it('has its tracked files read; a finding names the place and hides the secret', () => {
    expect(trackedFiles(root)).toEqual(['one.ts', 'picture.bin']);
    const [finding = '', ...others] = findSecrets(root, trackedFiles(root));
    expect(others).toEqual([]);
    expect(finding).toMatch(/^one\.ts:2: value of a secret name "q7Zt…" \(fingerprint [0-9a-f]{12}\)$/);
    expect(finding).not.toContain(random);
  });

  it('has what is allowed left out, in its own place only', () => {
    const allowed = (place: string) => [{ in: place, fingerprint: fingerprintOf(random), reason: 'a test' }];
    expect(findSecrets(root, ['one.ts'], allowed('one.ts'))).toEqual([]);
    expect(findSecrets(root, ['one.ts'], allowed('two.ts'))).toHaveLength(1);
  });
});

describe('this repository', () => {
  const paths = trackedFiles(repositoryRoot);

  it('holds none', () => {
    expect(findSecrets(repositoryRoot, paths)).toEqual([]);
  });

  it('needs every entry of its list', () => {
    const needed = (entry: (typeof allowedSecrets)[number]): boolean => findSecrets(repositoryRoot, paths.filter((path) => path.startsWith(entry.in)), allowedSecrets.filter((other) => other !== entry)).length > 0;
    expect(allowedSecrets.filter((entry) => !needed(entry))).toEqual([]);
  });
});
