import type { GatewayConfig } from '../config.ts';

export interface SocketCorsOptions {
  readonly origin: string[];
  readonly methods: string[];
  readonly allowedHeaders: string[];
  readonly maxAge: number;
}

/** Which pages may read the answers on the Socket.IO path, also those that a gateway gives in the place of another one. */
export const corsOptionsOf = ({ socketCorsOrigin }: Pick<GatewayConfig, 'socketCorsOrigin'>): SocketCorsOptions => ({
  origin: [...(socketCorsOrigin ?? [])],
  methods: ['GET', 'POST'],
  allowedHeaders: ['authorization', 'content-type'],
  maxAge: 600,
});
