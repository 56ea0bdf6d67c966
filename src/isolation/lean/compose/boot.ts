import * as linux from '../../launch/linux.ts';
import { LaunchProgram, register } from '../../launch/program.ts';
import type { MachineArchitecture } from '../../launch/system-call-numbers.ts';
import type { OutputPipes } from '../launcher/launcher.ts';
import {
  CONTROL_FD,
  IPC_FD,
  open,
  RECORD,
  RECORD_VALUE_OFFSET,
  record,
  report,
  STATUS_FD,
  STDOUT_READ_FD,
} from './common.ts';
import { handOver } from './hand-over.ts';

const pid = register(0);
const temporary = register(6);
/** The two ends of a launcher's channel in the spawner, which has only its own channels open. */
const NODE_END_FD = STDOUT_READ_FD;
const LAUNCHER_END_FD = STDOUT_READ_FD + 1;
const SIGNAL_SET_BYTES = 8;
const ANSWERS_BYTES = 4096;

/**
 * The spawner's first program: leaves the session, so that a terminal's signals do not reach it,
 * drops what descriptors it inherited, and has the kernel reap the launchers.
 */
export function composeSpawner(architecture: MachineArchitecture): LaunchProgram {
  const program = new LaunchProgram(architecture);
  program.call('leave the session', 'setsid', []);
  program.call('close inherited files', 'close_range', [STDOUT_READ_FD, 0xffff_ffff, 0]);
  for (const fd of [CONTROL_FD, STATUS_FD, IPC_FD]) {
    const values = [fd, linux.F_SETFD, linux.FD_CLOEXEC];
    program.call('keep channels from the entrypoint', 'fcntl', values);
  }
  onChildEnd(program, linux.SIG_IGN);
  return program;
}

/**
 * What the spawner runs for each launcher: forks it with a channel of its own, one socket for
 * control and status, whose other end goes to Node under the launcher's id. The launcher makes the
 * pipes for the entrypoint's output: pipes, because Node's own are sockets, and `/dev/stdout`
 * cannot be opened on a socket; named ones at `pipes`, if given. Then it awaits its next program on its own channel, if wanted in
 * an empty network namespace, so that it can be joined to a network meanwhile.
 */
export function composeLauncher(
  architecture: MachineArchitecture,
  launcherId: number,
  ownNetwork: boolean,
  pipes?: OutputPipes,
): LaunchProgram {
  const program = new LaunchProgram(architecture);
  const child = program.label();
  const end = program.label();
  // Node acknowledges each socket that it was handed; unread, that would fill the channel.
  const answers = program.bytes(Buffer.alloc(ANSWERS_BYTES));
  const drain = [IPC_FD, answers, ANSWERS_BYTES, linux.MSG_DONTWAIT, 0, 0];
  program.call('drain answers', 'recvfrom', drain, { tolerate: ['EAGAIN'] });
  const ends = program.bytes(Buffer.alloc(8));
  const type = linux.SOCK_STREAM | linux.SOCK_CLOEXEC;
  program.call('make a channel', 'socketpair', [linux.AF_UNIX, type, 0, ends]);
  program.call('fork a launcher', 'clone', [linux.SIGCHLD, 0, 0, 0, 0], { result: pid });
  program.branchIfEqual('fork a launcher', pid, 0, child);
  handOver(program, 'net.Socket', { launcherId }, NODE_END_FD);
  program.call('close the channel', 'close', [NODE_END_FD]);
  program.call('close the channel', 'close', [LAUNCHER_END_FD]);
  program.branchIfEqual('await the next', 0, 0, end);
  program.place(child);
  becomeLauncher(program, pipes);
  if (ownNetwork) program.call('leave the network', 'unshare', [linux.CLONE_NEWNET]);
  reportReady(program);
  program.place(end);
  return program;
}

function becomeLauncher(program: LaunchProgram, pipes: OutputPipes | undefined): void {
  for (const fd of [CONTROL_FD, STATUS_FD]) {
    program.call('connect the channel', 'dup3', [LAUNCHER_END_FD, fd, linux.O_CLOEXEC]);
  }
  program.call('close the spawner’s ends', 'close', [NODE_END_FD]);
  program.call('close the spawner’s ends', 'close', [LAUNCHER_END_FD]);
  onChildEnd(program, linux.SIG_DFL);
  program.call('leave the session', 'setsid', []);
  if (pipes) {
    makePipe(program, 'make the output pipe', pipes.stdout);
    makePipe(program, 'make the error pipe', pipes.stderr);
    return;
  }
  const ends = program.bytes(Buffer.alloc(8));
  program.call('make the output pipe', 'pipe2', [ends, linux.O_CLOEXEC]);
  program.call('make the error pipe', 'pipe2', [ends, linux.O_CLOEXEC]);
}

/** A pipe with a name, by which one may open it who may not look into this process. */
function makePipe(program: LaunchProgram, name: string, path: string): void {
  const at = program.text(path);
  program.call(name, 'mknodat', [linux.AT_FDCWD, at, linux.S_IFIFO | 0o600, 0]);
  open(program, name, at, linux.O_RDONLY | linux.O_NONBLOCK);
  open(program, name, at, linux.O_WRONLY);
}

function reportReady(program: LaunchProgram): void {
  const ready = record(program, RECORD.ready);
  program.call('report ready', 'getpid', [], { result: temporary });
  program.store('report ready', ready, RECORD_VALUE_OFFSET, 4, temporary);
  report(program, 'report ready', ready);
}

/** `struct sigaction` of the kernel: handler, flags, restorer, mask. */
function onChildEnd(program: LaunchProgram, handler: number): void {
  const action = Buffer.alloc(32);
  action.writeBigUInt64LE(BigInt(handler), 0);
  const values = [linux.SIGCHLD, program.bytes(action), 0, SIGNAL_SET_BYTES];
  program.call('decide who reaps', 'rt_sigaction', values);
}
