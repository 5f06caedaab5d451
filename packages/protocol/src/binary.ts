import * as v from 'valibot';

/** Binary data of at most `bytesMax`, else `payload/too-large`; Node gives a Buffer, a browser an ArrayBuffer, both come out as a Uint8Array. */
export const binary = (bytesMax: number) =>
  v.pipe(
    v.custom<Uint8Array | ArrayBuffer>(isBinary),
    v.check((bytes) => bytes.byteLength <= bytesMax, 'payload/too-large'),
    v.transform(asBytes),
  );

function isBinary(value: unknown): value is Uint8Array | ArrayBuffer {
  return value instanceof Uint8Array || value instanceof ArrayBuffer;
}

function asBytes(value: Uint8Array | ArrayBuffer): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(value);
}
