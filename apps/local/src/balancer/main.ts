import { createReverseProxy } from './reverse-proxy.ts';

const [port = '', upstreams = ''] = process.argv.slice(2);
const proxy = await createReverseProxy({ port: Number(port), upstreams: upstreams.split(',').map(Number) });
process.on('message', (message: { type: string; ports: number[] }) => {
  if (message.type === 'upstreams') proxy.use(message.ports);
});
for (const event of ['SIGTERM', 'SIGINT', 'disconnect']) process.on(event, () => process.exit(0));
process.send?.({ type: 'ready', role: 'load-balancer', id: 'load-balancer', publicPort: proxy.port });
