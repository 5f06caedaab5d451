import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryRoot } from '../local-folder.ts';
import { nginxConfiguration } from './nginx-balancer.ts';

const template = readFileSync(join(repositoryRoot, 'infra', 'nginx', 'nginx.conf.template'), 'utf8');

it('fills the template completely: one server per gateway and no affinity of any kind', () => {
  const configuration = nginxConfiguration(template, { listen: '127.0.0.1:8080', upstreams: [4001, 4002] });
  const directives = configuration.split('\n').filter((line) => !line.trim().startsWith('#')).join('\n');
  expect(directives).not.toMatch(/\$\{/);
  expect(directives.match(/server 127\.0\.0\.1:\d+/g)).toEqual(['server 127.0.0.1:4001', 'server 127.0.0.1:4002']);
  expect(directives).toContain('listen 127.0.0.1:8080;');
  expect(directives).not.toMatch(/ip_hash|hash |sticky/);
});
