import { startBot } from './bot.ts';

const [url = '', realm = '', bots = '', players = ''] = process.argv.slice(2);
const first = Number(players) - Number(bots) + 1;
for (let number = first; number <= Number(players); number += 1) startBot({ url, realm, number });
for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, () => process.exit(0));
process.send?.({ type: 'ready', role: 'bots', id: 'bots' });
