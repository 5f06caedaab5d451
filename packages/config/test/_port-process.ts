import { defineConfig, integer, parseOrExit, variables } from '@skirmish/config';

const { port } = parseOrExit(
  defineConfig({ port: integer('PORT', { description: 'for tests', min: 0, max: 65_535 }), databaseUrl: variables.databaseUrl }),
);
process.stdout.write(`port ${port}`);
