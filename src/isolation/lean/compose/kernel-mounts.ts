import * as linux from '../../launch/linux.ts';
import { type LaunchProgram, register } from '../../launch/program.ts';
import { mount, open } from './common.ts';
import { makeDirectory, remountReadOnly } from './root.ts';

const RESTRICTED = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC;
const temporary = register(6);
/** Under memory pressure of the whole host, sandboxes go before the host's own services. */
const OOM_SCORE_ADJUSTMENT = '500\n';

/** Name, major, minor of the devices that programs take for granted (`devices.txt`). */
const DEVICES = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
] as const;

const DEVICE_LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const;

/** A /dev of character devices only: nothing that stores, and nothing of the host's hardware. */
export function mountDevices(program: LaunchProgram): void {
  makeDirectory(program, '/dev');
  const flags = linux.MS_NOSUID | linux.MS_NOEXEC;
  const data = 'size=4k,nr_inodes=32,mode=755';
  mount(program, 'mount /dev', { source: 'tmpfs', target: '/dev', type: 'tmpfs', flags, data });
  for (const [name, major, minor] of DEVICES) {
    const values = [
      linux.AT_FDCWD,
      program.text(`/dev/${name}`),
      linux.S_IFCHR | 0o666,
      major * 256 + minor,
    ];
    program.call(`make /dev/${name}`, 'mknodat', values);
  }
  for (const [name, target] of DEVICE_LINKS) {
    const values = [program.text(target), linux.AT_FDCWD, program.text(`/dev/${name}`)];
    program.call(`make /dev/${name}`, 'symlinkat', values);
  }
  remountReadOnly(program, '/dev', flags);
}

const READ_ONLY_IN_PROC = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'];
const HIDDEN_DIRECTORIES_IN_PROC = ['acpi', 'asound', 'scsi'];
const HIDDEN_FILES_IN_PROC = [
  'config.gz',
  'interrupts',
  'kallsyms',
  'kcore',
  'keys',
  'key-users',
  'kmsg',
  'kpagecgroup',
  'kpagecount',
  'kpageflags',
  'latency_stats',
  'modules',
  'sched_debug',
  'slabinfo',
  'timer_list',
  'timer_stats',
  'vmallocinfo',
];

/**
 * A /proc of the sandbox's own processes. What is the kernel's rather than a process's is
 * read-only, and hidden where it tells of the host's memory, keys or hardware.
 */
export function mountProc(program: LaunchProgram): void {
  makeDirectory(program, '/proc');
  mount(program, 'mount /proc', {
    source: 'proc',
    target: '/proc',
    type: 'proc',
    flags: RESTRICTED,
  });
  const score = program.bytes(Buffer.from(OOM_SCORE_ADJUSTMENT));
  const name = 'offer to the out-of-memory killer';
  open(program, name, '/proc/self/oom_score_adj', linux.O_WRONLY, { result: temporary });
  program.call(name, 'write', [temporary, score, OOM_SCORE_ADJUSTMENT.length]);
  program.call(name, 'close', [temporary]);
  for (const entry of READ_ONLY_IN_PROC) {
    const target = `/proc/${entry}`;
    const flags = linux.MS_BIND | linux.MS_REC;
    const remount = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | RESTRICTED;
    const absent = { tolerate: ['ENOENT', 'EINVAL'] } as const;
    const step = `make ${target} read-only`;
    mount(program, step, { source: target, target, flags }, absent);
    mount(program, step, { target, flags: remount }, absent);
  }
  for (const entry of HIDDEN_DIRECTORIES_IN_PROC) {
    const flags = linux.MS_RDONLY | RESTRICTED;
    const where = { source: 'tmpfs', target: `/proc/${entry}`, type: 'tmpfs', flags };
    mount(program, `hide /proc/${entry}`, { ...where, data: 'size=0' }, { tolerate: ['ENOENT'] });
  }
  for (const entry of HIDDEN_FILES_IN_PROC) {
    const where = { source: '/dev/null', target: `/proc/${entry}`, flags: linux.MS_BIND };
    mount(program, `hide /proc/${entry}`, where, { tolerate: ['ENOENT'] });
  }
}
