export { createGateway, type Gateway, type GatewayParts } from './app.ts';
export { config, type GatewayConfig } from './config.ts';
export { events } from './connection/events.ts';
