export type { EmitOptions, EmittedEvent, Emitter, EmitterOptions, EmitTarget } from './create-emitter.ts';
export { createEmitter } from './create-emitter.ts';
export type { UserSocket } from './realtime-service.ts';
export { parseUserSocket, RealtimeService } from './realtime-service.ts';
export type { EntryType, RouteRefusal } from './route-script.ts';
export { entryType, routeScript } from './route-script.ts';
export type { Emission, Routed, RouterObserver, RouterOptions } from './router.ts';
export { Router } from './router.ts';
