import { type LaunchProgram, register } from '../launch/program.ts';
import { IPC_FD } from './common.ts';
import * as linux from './linux.ts';

/** Where the Runtime API listens inside a sandbox. */
export const RUNTIME_API_ADDRESS = '127.0.0.1';
export const RUNTIME_API_PORT = 9001;

const BACKLOG = 128;
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_OFFSET = 16;
const MESSAGE_HEADER_BYTES = 56;
const CONTROL_MESSAGE_BYTES = 24;
const socket = register(7);

/** Brings up the new network namespace's only interface. */
export function raiseLoopback(program: LaunchProgram): void {
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write('lo\0', 0);
  request.writeUInt16LE(linux.IFF_UP | linux.IFF_RUNNING, IFREQ_FLAGS_OFFSET);
  const type = linux.SOCK_DGRAM | linux.SOCK_CLOEXEC;
  program.call('open a socket', 'socket', [linux.AF_INET, type, 0], { result: socket });
  const values = [socket, linux.SIOCSIFFLAGS, program.bytes(request)];
  program.call('raise the loopback interface', 'ioctl', values);
  program.call('close a socket', 'close', [socket]);
}

/**
 * Listens where the Runtime API is expected and hands the socket to Node, in the message by
 * which a Node child process hands its parent a `net.Server` (see docs/decisions).
 */
export function listenForRuntime(program: LaunchProgram): void {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(linux.AF_INET, 0);
  address.writeUInt16BE(RUNTIME_API_PORT, 2);
  Buffer.from(RUNTIME_API_ADDRESS.split('.').map(Number)).copy(address, 4);
  const name = 'listen for the runtime';
  const type = linux.SOCK_STREAM | linux.SOCK_CLOEXEC;
  program.call(name, 'socket', [linux.AF_INET, type, 0], { result: socket });
  program.call(name, 'bind', [socket, program.bytes(address), address.length]);
  program.call(name, 'listen', [socket, BACKLOG]);
  sendServer(program);
  program.call(name, 'close', [socket]);
  program.call('close the hand-over channel', 'close', [IPC_FD]);
}

/** `sendmsg` with one `SCM_RIGHTS` descriptor beside one line of Node's JSON protocol. */
function sendServer(program: LaunchProgram): void {
  const name = 'hand over the runtime socket';
  const line = Buffer.from(
    `${JSON.stringify({ cmd: 'NODE_HANDLE', type: 'net.Server', msg: 'runtimeApi' })}\n`,
  );
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
  program.call(name, 'sendmsg', [IPC_FD, headerAt, 0]);
}
