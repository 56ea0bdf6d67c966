import { crc32 } from 'node:zlib';

const STRING_HEADER = 7;
const PRELUDE_BYTES = 12;
const CRC_BYTES = 4;

/**
 * One message of `application/vnd.amazon.eventstream`: total length, headers' length, CRC of the
 * two, headers, payload, CRC of everything before (Smithy's event stream specification).
 */
function encodeEvent(
  headers: Readonly<Record<string, string>>,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const encoded = Buffer.concat(Object.entries(headers).map(encodeHeader));
  const size = PRELUDE_BYTES + encoded.length + payload.length + CRC_BYTES;
  const message = Buffer.alloc(size);
  message.writeUInt32BE(size, 0);
  message.writeUInt32BE(encoded.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  encoded.copy(message, PRELUDE_BYTES);
  payload.copy(message, PRELUDE_BYTES + encoded.length);
  message.writeUInt32BE(crc32(message.subarray(0, size - CRC_BYTES)), size - CRC_BYTES);
  return message;
}

function encodeHeader([name, value]: [string, string]): Buffer {
  const text = Buffer.from(value);
  const head = Buffer.alloc(name.length + 4);
  head.writeUInt8(name.length, 0);
  head.write(name, 1, 'latin1');
  head.writeUInt8(STRING_HEADER, name.length + 1);
  head.writeUInt16BE(text.length, name.length + 2);
  return Buffer.concat([head, text]);
}

/** Bytes of the response, as they come. */
export function payloadChunk(bytes: Buffer): Buffer {
  return encodeEvent(
    {
      ':message-type': 'event',
      ':event-type': 'PayloadChunk',
      ':content-type': 'application/octet-stream',
    },
    bytes,
  );
}

export interface InvokeComplete {
  readonly ErrorCode?: string;
  readonly ErrorDetails?: string;
  readonly LogResult?: string;
}

/** The last message: how the invoke ended, the head of the answer being long gone. */
export function invokeComplete(end: InvokeComplete): Buffer {
  return encodeEvent(
    {
      ':message-type': 'event',
      ':event-type': 'InvokeComplete',
      ':content-type': 'application/json',
    },
    Buffer.from(JSON.stringify(end)),
  );
}
