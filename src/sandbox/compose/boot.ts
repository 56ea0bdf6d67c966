import { LaunchProgram, register } from '../launch/program.ts';
import type { Architecture } from '../launch/system-call-numbers.ts';
import { CONTROL_FD, IPC_FD, RECORD, record, report, STATUS_FD, STDOUT_READ_FD } from './common.ts';
import { F_SETFD, FD_CLOEXEC, O_CLOEXEC, PR_SET_PDEATHSIG, SIGKILL } from './linux.ts';

const parent = register(0);

/**
 * The program that every launcher runs as soon as it is spawned, before it is known for which
 * sandbox: dies with its parent, leaves its session, drops what descriptors it inherited, and
 * makes the pipes for the entrypoint's output. Pipes, because Node's own are sockets, and
 * `/dev/stdout` cannot be opened on a socket.
 */
export function composeBoot(architecture: Architecture, parentPid: number): LaunchProgram {
  const program = new LaunchProgram(architecture);
  const alive = program.label();
  program.call('die with the parent', 'prctl', [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  program.call('ask for the parent', 'getppid', [], { result: parent });
  program.branchIfEqual('is the parent alive', parent, parentPid, alive);
  program.call('leave, orphaned', 'exit_group', [0]);
  program.place(alive);
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
