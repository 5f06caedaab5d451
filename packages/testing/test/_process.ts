/** A process of the contract: says that it is ready, takes another name when told, ends with code 7 on SIGTERM. */
const [mode] = process.argv.slice(2);
if (mode === 'fail') {
  process.stderr.write('I cannot\n');
  process.exit(3);
}
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('VITEST')));
process.stdout.write(`${process.env['COLOUR'] ?? 'no colour'} [${process.argv.slice(2).join('][')}] ${JSON.stringify(inherited)}\n`);
process.on('SIGTERM', () => process.exit(7));
process.on('disconnect', () => process.exit(0));
process.on('message', ({ rename }: { rename: string }) => process.send?.({ type: 'ready', id: rename }));
if (mode !== 'silent') process.send?.({ type: 'ready', id: 'one', publicPort: 4000 });
