import type { CgroupJoin, CgroupView } from '../../cgroup/types.ts';
import * as linux from '../../launch/linux.ts';
import { LaunchProgram, register } from '../../launch/program.ts';
import type { MachineArchitecture } from '../../launch/system-call-numbers.ts';
import type { NetworkAddress } from '../../network/addresses.ts';
import { seccompFilter } from '../../seccomp/profile.ts';
import { type SandboxSpec, sandboxEnvironment } from '../../spec.ts';
import type { ProcView } from '../proc-view.ts';
import type { SandboxUser } from '../user-pool.ts';
import { CONTROL_FD, PROGRAMS_READ_FD, PROGRAMS_WRITE_FD, READ_ENDS } from './common.ts';
import { runEntrypoint } from './entrypoint.ts';
import { awaitExtensions, EXTENSIONS_DIRECTORY } from './extensions.ts';
import { forgetHostOwners, mapHostOwners, type OwnedMount } from './host-mounts.ts';
import {
  becomeMonitor,
  dieWithMonitor,
  forkInit,
  initPid,
  joinCgroup,
  makeProgramsPipe,
  setHostName,
} from './isolate.ts';
import { mountDevices, mountProc, sealDevices } from './kernel-mounts.ts';
import { listenForRuntime, raiseInterfaces } from './network.ts';
import {
  dropPrivileges,
  filterSystemCalls,
  limitResources,
  type PrivilegeOptions,
} from './privileges.ts';
import { assembleRoot, sealRoot, type TmpOptions } from './root.ts';

const HOST_NAME = 'sandbox';
const USER_NAME = 'sbx_user1051';
const found = register(6);

/** What the image's own files of these names cannot know. */
const FILES = {
  '/etc/hosts':
    '127.0.0.1 localhost sandbox sandbox.localdomain\n::1 localhost ip6-localhost ip6-loopback\n',
  '/etc/hostname': `${HOST_NAME}\n`,
} as const;

export interface StartOptions {
  readonly architecture: MachineArchitecture;
  readonly join: CgroupJoin;
  readonly cgroups: readonly CgroupView[];
  readonly launcherId: number;
  readonly privileges: PrivilegeOptions;
  readonly proc: ProcView;
  readonly directIo: boolean;
  readonly tmp: TmpOptions;
  readonly hostMounts?: readonly OwnedMount[];
  /** What the launcher's network namespace was joined to; absent: nothing. */
  readonly network?: SandboxNetwork | undefined;
}

export interface SandboxNetwork extends NetworkAddress {
  readonly nameservers: readonly string[];
}

/**
 * The program that turns a booted launcher into the monitor of a sandbox with a running init. The
 * entrypoint runs at its end, unless the disk has extensions: then init waits for further programs.
 */
export function composeStart(spec: SandboxSpec, options: StartOptions): LaunchProgram {
  const program = new LaunchProgram(options.architecture);
  const init = program.label();
  const alone = program.label();
  const end = program.label();
  const { hostMounts = [] } = options;
  makeProgramsPipe(program);
  mapHostOwners(program, hostMounts, options.privileges);
  forkInit(program, options.join, options.network === undefined);
  program.branchIfEqual('create namespaces', initPid, 0, init);
  forgetHostOwners(program, hostMounts);
  becomeMonitor(program, options.join);
  program.branchIfEqual('run the next program', 0, 0, end);
  program.place(init);
  for (const fd of [...READ_ENDS, PROGRAMS_WRITE_FD]) {
    program.call('close the others’ ends', 'close', [fd]);
  }
  makeSandbox(program, spec, options);
  const directory = program.text(EXTENSIONS_DIRECTORY);
  program.call('look for extensions', 'faccessat', [linux.AT_FDCWD, directory, 0], {
    result: found,
    tolerate: ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'],
  });
  program.branchUnlessEqual('look for extensions', found, 0, alone);
  awaitExtensions(program);
  program.branchIfEqual('wait for extensions', 0, 0, end);
  program.place(alone);
  program.call('close the pipe of programs', 'close', [PROGRAMS_READ_FD]);
  dropPrivileges(program, options.privileges);
  dieWithMonitor(program);
  program.call('close the control channel', 'close', [CONTROL_FD]);
  filterSystemCalls(program, seccompFilter(options.architecture));
  const { argv, workingDirectory } = spec.shape;
  runEntrypoint(program, { argv, workingDirectory, environment: sandboxEnvironment(spec) });
  program.place(end);
  return program;
}

/** The user's entries, as Lambda names it; no image has them, for the numbers are the host's. */
function accountLines({ uid, gid }: SandboxUser): Record<string, string> {
  return {
    '/etc/passwd': `${USER_NAME}:x:${uid}:${gid}::/home/${USER_NAME}:/sbin/nologin`,
    '/etc/group': `${USER_NAME}:x:${gid}:`,
  };
}

function resolvConf(nameservers: readonly string[] | undefined): string {
  if (nameservers === undefined) return '# This sandbox has no network.\n';
  if (nameservers.length === 0)
    return '# The host has no name server that a sandbox could reach.\n';
  return nameservers.map((address) => `nameserver ${address}\n`).join('');
}

function makeSandbox(program: LaunchProgram, spec: SandboxSpec, options: StartOptions): void {
  const { directIo, tmp, cgroups, hostMounts = [] } = options;
  joinCgroup(program, options.join);
  setHostName(program, HOST_NAME);
  raiseInterfaces(program, options.network);
  listenForRuntime(program, options.launcherId);
  const lines = accountLines(options.privileges);
  const files = { ...FILES, '/etc/resolv.conf': resolvConf(options.network?.nameservers) };
  assembleRoot(program, {
    disk: { path: spec.shape.diskPath, directIo },
    tmp,
    files,
    lines,
    cgroups,
    hostMounts,
  });
  mountDevices(program);
  mountProc(program, options.proc);
  sealDevices(program);
  sealRoot(program);
  limitResources(program, spec.shape.openFiles);
}
