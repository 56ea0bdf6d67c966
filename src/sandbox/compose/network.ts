import { type LaunchProgram, register } from '../launch/program.ts';
import { IPC_FD } from './common.ts';
import { handOver } from './hand-over.ts';
import * as linux from './linux.ts';

/** Where the Runtime API listens inside a sandbox. */
export const RUNTIME_API_ADDRESS = '127.0.0.1';
export const RUNTIME_API_PORT = 9001;

const BACKLOG = 128;
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_OFFSET = 16;
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

/** Listens where the Runtime API is expected and hands the socket to Node. */
export function listenForRuntime(program: LaunchProgram, launcherId: number): void {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(linux.AF_INET, 0);
  address.writeUInt16BE(RUNTIME_API_PORT, 2);
  Buffer.from(RUNTIME_API_ADDRESS.split('.').map(Number)).copy(address, 4);
  const name = 'listen for the runtime';
  const type = linux.SOCK_STREAM | linux.SOCK_CLOEXEC;
  program.call(name, 'socket', [linux.AF_INET, type, 0], { result: socket });
  program.call(name, 'bind', [socket, program.bytes(address), address.length]);
  program.call(name, 'listen', [socket, BACKLOG]);
  handOver(program, 'net.Server', { launcherId }, socket);
  program.call(name, 'close', [socket]);
  program.call('close the hand-over channel', 'close', [IPC_FD]);
}
