import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import type { SocketCorsOptions } from '../connection/cors-options.ts';

/** Adds what lets a page read an answer: a browser shows one without it as a failure of the network. */
export type AddCors = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

export const createSocketCors = (options: SocketCorsOptions): AddCors => cors(options);
