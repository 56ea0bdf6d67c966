import { LaunchProgram, register } from '../launch/program.ts';
import type { Architecture } from '../launch/system-call-numbers.ts';
import { seccompFilter } from '../seccomp/profile.ts';
import type { SandboxSpec } from '../types.ts';
import { CONTROL_FD, STDERR_READ_FD, STDOUT_READ_FD } from './common.ts';
import { runEntrypoint } from './entrypoint.ts';
import {
  type CgroupJoin,
  dieWithMonitor,
  forkInit,
  joinCgroup,
  setHostName,
  watchInit,
} from './isolate.ts';
import { mountDevices, mountProc } from './kernel-mounts.ts';
import { listenForRuntime, raiseLoopback } from './network.ts';
import { dropPrivileges, filterSystemCalls, limitResources } from './privileges.ts';
import { assembleRoot, sealRoot, type TmpOptions } from './root.ts';

const HOST_NAME = 'sandbox';

/** What the image's own files of these names would say of a network that is not there. */
const FILES = {
  '/etc/hosts':
    '127.0.0.1 localhost sandbox sandbox.localdomain\n::1 localhost ip6-localhost ip6-loopback\n',
  '/etc/hostname': `${HOST_NAME}\n`,
  '/etc/resolv.conf': '# This sandbox has no network.\n',
} as const;

export interface StartOptions {
  readonly architecture: Architecture;
  readonly join: CgroupJoin;
  readonly launcherId: number;
  readonly directIo: boolean;
  readonly tmp: TmpOptions;
}

/** The program that turns a booted launcher into the monitor of a sandbox with a running init. */
export function composeStart(spec: SandboxSpec, options: StartOptions): LaunchProgram {
  const program = new LaunchProgram(options.architecture);
  const pid = register(0);
  const init = program.label();
  const { directIo, tmp } = options;
  forkInit(program, options.join, pid);
  program.branchIfEqual('create namespaces', pid, 0, init);
  watchInit(program, pid, options.join);
  program.place(init);
  for (const fd of [STDOUT_READ_FD, STDERR_READ_FD]) {
    program.call('close the reading ends', 'close', [fd]);
  }
  joinCgroup(program, options.join);
  setHostName(program, HOST_NAME);
  raiseLoopback(program);
  listenForRuntime(program, options.launcherId);
  assembleRoot(program, { disk: { path: spec.diskPath, directIo }, tmp, files: FILES });
  mountDevices(program);
  mountProc(program);
  sealRoot(program);
  limitResources(program, spec.openFiles);
  dropPrivileges(program, spec);
  dieWithMonitor(program);
  program.call('close the control channel', 'close', [CONTROL_FD]);
  filterSystemCalls(program, seccompFilter(options.architecture));
  runEntrypoint(program, spec);
  return program;
}
