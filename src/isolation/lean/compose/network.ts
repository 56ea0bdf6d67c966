import type { CgroupJoin } from '../../cgroup/types.ts';
import * as linux from '../../launch/linux.ts';
import { LaunchProgram, register } from '../../launch/program.ts';
import type { MachineArchitecture } from '../../launch/system-call-numbers.ts';
import type { NetworkAddress } from '../../network/addresses.ts';
import { IPC_FD } from './common.ts';
import { type HandOver, handOver } from './hand-over.ts';
import { initHandle, watchInit } from './isolate.ts';

/** Where the Runtime API listens inside a sandbox. */
const RUNTIME_API_ADDRESS = '127.0.0.1';
const RUNTIME_API_PORT = 9001;

const BACKLOG = 128;
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_OFFSET = 16;
const socket = register(7);
/** Unread acknowledgements of what was handed over would fill the channel. */
const ANSWERS_BYTES = 4096;

/**
 * Brings up the network namespace's loopback interface, and the other one, if the namespace was
 * joined to a network.
 */
export function raiseInterfaces(program: LaunchProgram, network?: NetworkAddress): void {
  const type = linux.SOCK_DGRAM | linux.SOCK_CLOEXEC;
  program.call('open a socket', 'socket', [linux.AF_INET, type, 0], { result: socket });
  raise(program, 'lo');
  if (network) joinNetwork(program, network);
  program.call('close a socket', 'close', [socket]);
}

function interfaceRequest(name: string): Buffer {
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(`${name}\0`, 0);
  return request;
}

function raise(program: LaunchProgram, name: string): void {
  const request = interfaceRequest(name);
  request.writeUInt16LE(linux.IFF_UP | linux.IFF_RUNNING, IFREQ_FLAGS_OFFSET);
  const values = [socket, linux.SIOCSIFFLAGS, program.bytes(request)];
  program.call(`raise the interface ${name}`, 'ioctl', values);
}

function joinNetwork(program: LaunchProgram, network: NetworkAddress): void {
  const set = (name: string, command: number, address: string) => {
    const request = interfaceRequest('eth0');
    socketAddress(address, 0).copy(request, IFREQ_FLAGS_OFFSET);
    program.call(name, 'ioctl', [socket, command, program.bytes(request)]);
  };
  set('set the address', linux.SIOCSIFADDR, network.address);
  set('set the netmask', linux.SIOCSIFNETMASK, network.netmask);
  raise(program, 'eth0');
  const route = Buffer.alloc(linux.RTENTRY_BYTES);
  socketAddress('0.0.0.0', 0).copy(route, linux.RTENTRY_DESTINATION_OFFSET);
  socketAddress(network.gateway, 0).copy(route, linux.RTENTRY_GATEWAY_OFFSET);
  socketAddress('0.0.0.0', 0).copy(route, linux.RTENTRY_MASK_OFFSET);
  route.writeUInt16LE(linux.RTF_UP | linux.RTF_GATEWAY, linux.RTENTRY_FLAGS_OFFSET);
  program.call('set the route', 'ioctl', [socket, linux.SIOCADDRT, program.bytes(route)]);
}

/** Listens where the Runtime API is expected and hands the socket to Node. */
export function listenForRuntime(program: LaunchProgram, launcherId: number): void {
  const address = socketAddress(RUNTIME_API_ADDRESS, RUNTIME_API_PORT);
  const name = 'listen for the runtime';
  const type = linux.SOCK_STREAM | linux.SOCK_CLOEXEC;
  program.call(name, 'socket', [linux.AF_INET, type, 0], { result: socket });
  program.call(name, 'bind', [socket, program.bytes(address), address.length]);
  program.call(name, 'listen', [socket, BACKLOG]);
  handOver(program, 'net.Native', { launcherId }, socket);
  program.call(name, 'close', [socket]);
  program.call('close the hand-over channel', 'close', [IPC_FD]);
}

export interface ConnectOptions {
  readonly architecture: MachineArchitecture;
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
  const address = socketAddress(RUNTIME_API_ADDRESS, options.port);
  const values = [socket, program.bytes(address), address.length];
  program.call(name, 'connect', values, { tolerate: ['EINPROGRESS', 'ECONNREFUSED', 'EAGAIN'] });
  handOver(program, 'net.Socket', options.handOver, socket);
  program.call(name, 'close', [socket]);
  watchInit(program, options.join);
  return program;
}

/** `struct sockaddr_in`. */
function socketAddress(dotted: string, port: number): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(linux.AF_INET, 0);
  address.writeUInt16BE(port, 2);
  Buffer.from(dotted.split('.').map(Number)).copy(address, 4);
  return address;
}
