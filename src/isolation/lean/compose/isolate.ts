import type { CgroupJoin } from '../../cgroup/types.ts';
import * as linux from '../../launch/linux.ts';
import { type LaunchProgram, register } from '../../launch/program.ts';
import {
  CONTROL_FD,
  open,
  RECORD,
  RECORD_VALUE_OFFSET,
  record,
  report,
  STDERR_READ_FD,
  STDERR_WRITE_FD,
  STDOUT_READ_FD,
  STDOUT_WRITE_FD,
} from './common.ts';

/** Of the monitor, as long as it lives; 0 in init. */
export const initPid = register(0);
export const initHandle = register(1);
const cgroupDirectory = register(1);
const temporary = register(6);
const CLONE_ARGS_BYTES = 88;
const CLONE_ARGS_EXIT_SIGNAL_OFFSET = 32;
const CLONE_ARGS_CGROUP_OFFSET = 80;

/**
 * Forks the sandbox's init into namespaces of its own, each new and empty: mounts (a copy, left
 * behind later), processes, network, host name, System V objects. The process that forked waits
 * outside as monitor: `initPid` is not 0 there. Without `ownNetwork` they share the monitor's,
 * which then is not the host's either.
 */
export function forkInit(program: LaunchProgram, join: CgroupJoin, ownNetwork: boolean): void {
  const pid = initPid;
  const namespaces =
    linux.CLONE_NEWNS |
    linux.CLONE_NEWPID |
    linux.CLONE_NEWIPC |
    linux.CLONE_NEWUTS |
    (ownNetwork ? linux.CLONE_NEWNET : 0);
  const flags = BigInt(namespaces) | (join.kind === 'clone' ? linux.CLONE_INTO_CGROUP : 0n);
  const content = Buffer.alloc(CLONE_ARGS_BYTES);
  content.writeBigUInt64LE(flags, 0);
  content.writeBigUInt64LE(BigInt(linux.SIGCHLD), CLONE_ARGS_EXIT_SIGNAL_OFFSET);
  const cloneArguments = program.bytes(content);
  if (join.kind === 'clone') {
    const at = CLONE_ARGS_CGROUP_OFFSET;
    open(program, 'open the cgroup', join.directory, linux.O_RDONLY, { result: cgroupDirectory });
    program.store('open the cgroup', cloneArguments, at, 8, cgroupDirectory);
  }
  program.call('create namespaces', 'clone3', [cloneArguments, CLONE_ARGS_BYTES], { result: pid });
  if (join.kind === 'clone') program.call('close the cgroup', 'close', [cgroupDirectory]);
}

/** Joins the cgroup and makes it the root of what the sandbox sees of cgroups. */
export function joinCgroup(program: LaunchProgram, join: CgroupJoin): void {
  if (join.kind === 'write') {
    // A thread that moves itself alone needs no global lock; `cgroup.procs` would take it.
    const self = program.bytes(Buffer.from('0\n'));
    for (const file of join.files) {
      open(program, `join ${file}`, file, linux.O_WRONLY, { result: temporary });
      program.call(`join ${file}`, 'write', [temporary, self, 2]);
      program.call(`join ${file}`, 'close', [temporary]);
    }
  }
  program.call('unshare cgroups', 'unshare', [linux.CLONE_NEWCGROUP]);
}

export function setHostName(program: LaunchProgram, name: string): void {
  const bytes = Buffer.from(name);
  program.call('set the host name', 'sethostname', [program.bytes(bytes), bytes.length]);
}

/** Ends by itself should the control channel have closed before the death signal was set. */
export function dieWithMonitor(program: LaunchProgram, controlFd = CONTROL_FD): void {
  const alive = program.label();
  const hungUp = program.bytes(pollEntries([{ fd: controlFd, events: linux.POLLRDHUP }]));
  const now = program.bytes(Buffer.alloc(16));
  program.call('die with the monitor', 'prctl', [linux.PR_SET_PDEATHSIG, linux.SIGKILL, 0, 0, 0]);
  program.call('is the monitor alive', 'ppoll', [hungUp, 1, now, 0, 0], { result: temporary });
  program.branchIfEqual('is the monitor alive', temporary, 0, alive);
  program.call('leave, orphaned', 'exit_group', [0]);
  program.place(alive);
}

/** Makes the pipe through which init gets programs of its own, if it asks for any. */
export function makeProgramsPipe(program: LaunchProgram): void {
  const ends = program.bytes(Buffer.alloc(8));
  program.call('make the pipe of programs', 'pipe2', [ends, linux.O_CLOEXEC]);
}

/** What the monitor of a new init, `initPid`, does: tells of it, and watches it. */
export function becomeMonitor(program: LaunchProgram, join: CgroupJoin): void {
  for (const fd of [STDOUT_READ_FD, STDOUT_WRITE_FD, STDERR_READ_FD, STDERR_WRITE_FD]) {
    program.call('close the sandbox files', 'close', [fd]);
  }
  program.call('open a handle on init', 'pidfd_open', [initPid, 0], { result: initHandle });
  const made = record(program, RECORD.init);
  program.store('report init', made, RECORD_VALUE_OFFSET, 4, initPid);
  report(program, 'report init', made);
  watchInit(program, join);
}

/**
 * What the monitor does until the end: waits for the control channel's end, which is Node's too,
 * or for init's; kills init, by which the kernel kills every process of its namespace; and waits
 * until all are gone. What else comes by the control channel is its next program.
 */
export function watchInit(program: LaunchProgram, join: CgroupJoin): void {
  const name = 'watch init';
  const next = program.label();
  const watched = (control: number) => {
    const entry = { fd: -1, events: linux.POLLIN };
    const entries = program.bytes(pollEntries([{ fd: CONTROL_FD, events: control }, entry]));
    program.store(name, entries, 8, 4, initHandle);
    return entries;
  };
  const now = program.bytes(Buffer.alloc(16));
  const anything = watched(linux.POLLRDHUP | linux.POLLIN);
  program.call(name, 'ppoll', [anything, 2, 0, 0, 0]);
  const end = watched(linux.POLLRDHUP);
  program.call(name, 'ppoll', [end, 2, now, 0, 0], { result: temporary });
  program.branchIfEqual(name, temporary, 0, next);
  endInit(program, join);
  program.place(next);
}

function endInit(program: LaunchProgram, join: CgroupJoin): void {
  const pid = initPid;
  program.call('kill init', 'kill', [pid, linux.SIGKILL], { tolerate: ['ESRCH'] });
  if (join.kind === 'write') thaw(program, join.freezerState);
  program.call('wait for init', 'wait4', [pid, 0, 0, 0]);
  program.call('leave', 'exit_group', [0]);
}

/** Under version 1, what is frozen cannot die; by then it may be gone, cgroup and all. */
function thaw(program: LaunchProgram, freezerState: string): void {
  const name = 'thaw what is to die';
  const thawed = program.bytes(Buffer.from('THAWED\n'));
  const tolerate = ['ENOENT', 'ENODEV', 'EBADF'] as const;
  open(program, name, freezerState, linux.O_WRONLY, { result: temporary, tolerate });
  program.call(name, 'write', [temporary, thawed, 7], { tolerate });
}

/** `struct pollfd`: fd, events, revents. */
function pollEntries(entries: readonly { fd: number; events: number }[]): Buffer {
  const content = Buffer.alloc(entries.length * 8);
  for (const [index, { fd, events }] of entries.entries()) {
    content.writeInt32LE(fd, index * 8);
    content.writeInt16LE(events, index * 8 + 4);
  }
  return content;
}
