import type { RoomName } from '@skirmish/protocol';

/** Tells a sending process to emit the numbers 1 … count to a room, under its name. */
export interface Burst {
  type: 'burst';
  room: RoomName;
  sender: string;
  count: number;
}

/** Emits bursts as they are asked for over IPC, one event per turn, so that senders interleave. */
export function burstsOf(emit: (event: { room: RoomName; sender: string; number: number }) => Promise<void>): void {
  process.on('message', (message: Burst) => {
    void (async () => {
      for (let number = 1; number <= message.count; number += 1) {
        await emit({ room: message.room, sender: message.sender, number });
        await new Promise((resolve) => { setImmediate(resolve); });
      }
    })();
  });
}
