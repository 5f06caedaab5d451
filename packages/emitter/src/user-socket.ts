/** A socket of a user, as the gateway that holds it has registered it. */
export interface UserSocket {
  socketId: string;
  /** Incarnation id of the gateway. */
  gateway: string;
  connectedAtMs: number;
  device: string;
}

/** Reads a record of `user:<id>`, written by gateways as JSON; null when it is damaged. */
export function parseUserSocket(socketId: string, record: string): UserSocket | null {
  try {
    const value = JSON.parse(record) as { gateway?: unknown; connectedAtMs?: unknown; device?: unknown };
    if (typeof value.gateway !== 'string' || typeof value.connectedAtMs !== 'number') return null;
    return { socketId, gateway: value.gateway, connectedAtMs: value.connectedAtMs, device: typeof value.device === 'string' ? value.device : '' };
  } catch {
    return null;
  }
}
