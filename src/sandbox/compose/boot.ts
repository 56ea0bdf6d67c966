import { LaunchProgram } from '../launch/program.ts';
import type { Architecture } from '../launch/system-call-numbers.ts';
import { CONTROL_FD, IPC_FD, RECORD, record, report, STATUS_FD, STDOUT_READ_FD } from './common.ts';
import { F_SETFD, FD_CLOEXEC, O_CLOEXEC } from './linux.ts';

/**
 * The program that every launcher runs as soon as it is spawned, before it is known for which
 * sandbox: leaves its session, so that a terminal's signals do not reach it, drops what
 * descriptors it inherited, and makes the pipes for the entrypoint's output. Pipes, because
 * Node's own are sockets, and `/dev/stdout` cannot be opened on a socket.
 */
export function composeBoot(architecture: Architecture): LaunchProgram {
  const program = new LaunchProgram(architecture);
  program.call('leave the session', 'setsid', []);
  program.call('close inherited files', 'close_range', [STDOUT_READ_FD, 0xffff_ffff, 0]);
  for (const fd of [CONTROL_FD, STATUS_FD, IPC_FD]) {
    program.call('keep channels from the entrypoint', 'fcntl', [fd, F_SETFD, FD_CLOEXEC]);
  }
  const ends = program.bytes(Buffer.alloc(8));
  program.call('make the output pipe', 'pipe2', [ends, O_CLOEXEC]);
  program.call('make the error pipe', 'pipe2', [ends, O_CLOEXEC]);
  report(program, 'report ready', record(program, RECORD.ready));
  return program;
}
