import { io } from 'socket.io-client';
import { developmentToken } from '../story/development-token.ts';
import { startOf, type Place } from './start-of.ts';

export interface BotOptions {
  url: string;
  realm: string;
  /** The bot is player `p<number>`. */
  number: number;
}

const moveEveryMs = 200;
/** 40 units per second, below the walking speed of 50. */
const stepUnits = 8;
const radiusUnits = 60;

/** A plain client that walks in circles around the place where it starts; it connects again for ever and ends with its process. */
export function startBot({ url, realm, number }: BotOptions): void {
  const userId = `p${number}`;
  const socket = io(`${url}/realm/${realm}`, {
    transports: ['websocket'],
    timeout: 4_000,
    // A new token for each connection: none expires on a bot.
    auth: (use) => void developmentToken(url, userId).then((token) => use({ token }), () => use({})),
  });
  const centre = startOf(number);
  let at: Place = { ...centre };
  let angle = number;
  let seq = 0;
  socket.on('connect_error', () => {
    // A refusal of the namespace is final for Socket.IO; a bot tries again, as its next token is another one.
    if (!socket.active) setTimeout(() => socket.connect(), 2_000);
  });
  socket.on('session:welcome', (welcome: { recovered?: boolean }) => {
    if (welcome.recovered !== true) seq = 0;
  });
  socket.on('character:corrected', ({ x, y }: Place) => {
    at = { x, y };
  });
  setInterval(() => {
    if (!socket.connected) return;
    angle += stepUnits / radiusUnits;
    at = stepTowards(at, { x: centre.x + radiusUnits * Math.cos(angle), y: centre.y + radiusUnits * Math.sin(angle) });
    seq += 1;
    socket.volatile.emit('character:move', { seq, x: at.x, y: at.y });
  }, moveEveryMs);
}

function stepTowards(from: Place, to: Place): Place {
  const distance = Math.hypot(to.x - from.x, to.y - from.y);
  if (distance <= stepUnits) return to;
  return { x: from.x + ((to.x - from.x) * stepUnits) / distance, y: from.y + ((to.y - from.y) * stepUnits) / distance };
}
