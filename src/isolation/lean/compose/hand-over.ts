import * as linux from '../../launch/linux.ts';
import type { LaunchProgram, Value } from '../../launch/program.ts';
import { IPC_FD } from './common.ts';

const MESSAGE_HEADER_BYTES = 56;
const CONTROL_MESSAGE_BYTES = 24;

/** Which launcher a socket that was handed over belongs to. */
export interface HandOver {
  readonly launcherId: number;
  /** Which of its connections to the sandbox it is; absent for the launcher's own channel. */
  readonly connectionId?: number;
}

/**
 * Passes a socket to Node, in the message by which a Node child process passes its parent a
 * handle: one descriptor beside one line of JSON (docs/decisions/0005). A `net.Native` arrives as it
 * is: nobody accepts or reads on it yet, so that Node may pass it on.
 */
export function handOver(
  program: LaunchProgram,
  type: 'net.Native' | 'net.Socket',
  message: HandOver,
  socket: Value,
): void {
  const name = `hand over a ${type}`;
  const line = Buffer.from(`${JSON.stringify({ cmd: 'NODE_HANDLE', type, msg: message })}\n`);
  const payload = program.bytes(line);
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(BigInt(payload.dataOffset), 0);
  vector.writeBigUInt64LE(BigInt(line.length), 8);
  const vectorAt = program.bytes(vector);
  const control = Buffer.alloc(CONTROL_MESSAGE_BYTES);
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(linux.SOL_SOCKET, 8);
  control.writeInt32LE(linux.SCM_RIGHTS, 12);
  const controlAt = program.bytes(control);
  const header = Buffer.alloc(MESSAGE_HEADER_BYTES);
  header.writeBigUInt64LE(BigInt(vectorAt.dataOffset), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(BigInt(controlAt.dataOffset), 32);
  header.writeBigUInt64LE(BigInt(CONTROL_MESSAGE_BYTES), 40);
  const headerAt = program.bytes(header);
  program.point(name, vectorAt, 0);
  program.point(name, headerAt, 16);
  program.point(name, headerAt, 32);
  program.store(name, controlAt, 16, 4, socket);
  program.call(name, 'sendmsg', [IPC_FD, headerAt, linux.MSG_NOSIGNAL]);
}
