import { LaunchProgram, register } from '../launch/program.ts';
import type { Architecture } from '../launch/system-call-numbers.ts';
import { IPC_FD } from './common.ts';
import { type HandOver, handOver } from './hand-over.ts';
import { type CgroupJoin, initHandle, watchInit } from './isolate.ts';
import * as linux from './linux.ts';

/** Where the Runtime API listens inside a sandbox. */
export const RUNTIME_API_ADDRESS = '127.0.0.1';
export const RUNTIME_API_PORT = 9001;

const BACKLOG = 128;
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_OFFSET = 16;
const socket = register(7);
/** Unread acknowledgements of what was handed over would fill the channel. */
const ANSWERS_BYTES = 4096;

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
  const address = loopbackAddress(RUNTIME_API_PORT);
  const name = 'listen for the runtime';
  const type = linux.SOCK_STREAM | linux.SOCK_CLOEXEC;
  program.call(name, 'socket', [linux.AF_INET, type, 0], { result: socket });
  program.call(name, 'bind', [socket, program.bytes(address), address.length]);
  program.call(name, 'listen', [socket, BACKLOG]);
  handOver(program, 'net.Server', { launcherId }, socket);
  program.call(name, 'close', [socket]);
  program.call('close the hand-over channel', 'close', [IPC_FD]);
}

export interface ConnectOptions {
  readonly architecture: Architecture;
  readonly join: CgroupJoin;
  readonly handOver: HandOver;
  readonly port: number;
}

/**
 * A program for the monitor: hands Node a socket that connects to a port of the sandbox's loopback
 * interface, and goes on watching. It waits for nobody: who has the socket learns what came of it.
 */
export function composeConnect(options: ConnectOptions): LaunchProgram {
  const program = new LaunchProgram(options.architecture);
  const name = 'connect into the sandbox';
  const answers = program.bytes(Buffer.alloc(ANSWERS_BYTES));
  const drain = [IPC_FD, answers, ANSWERS_BYTES, linux.MSG_DONTWAIT, 0, 0];
  program.call('drain answers', 'recvfrom', drain, { tolerate: ['EAGAIN'] });
  program.call('enter the network', 'setns', [initHandle, linux.CLONE_NEWNET]);
  const type = linux.SOCK_STREAM | linux.SOCK_CLOEXEC | linux.SOCK_NONBLOCK;
  program.call(name, 'socket', [linux.AF_INET, type, 0], { result: socket });
  const address = loopbackAddress(options.port);
  const values = [socket, program.bytes(address), address.length];
  program.call(name, 'connect', values, { tolerate: ['EINPROGRESS', 'ECONNREFUSED', 'EAGAIN'] });
  handOver(program, 'net.Socket', options.handOver, socket);
  program.call(name, 'close', [socket]);
  watchInit(program, options.join);
  return program;
}

/** `struct sockaddr_in`. */
function loopbackAddress(port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(linux.AF_INET, 0);
  address.writeUInt16BE(port, 2);
  Buffer.from(RUNTIME_API_ADDRESS.split('.').map(Number)).copy(address, 4);
  return address;
}
