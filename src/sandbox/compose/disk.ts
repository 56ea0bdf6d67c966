import { type LaunchProgram, register } from '../launch/program.ts';
import { open, RECORD, RECORD_VALUE_OFFSET, record, report } from './common.ts';
import * as linux from './linux.ts';

const LOOP_PREFIX = '/dev/loop';
const DECIMAL_BYTES = 21;
const disk = register(2);
const control = register(3);
const loopNumber = register(4);
const loopDevice = register(5);
const configured = register(6);

export interface DiskOptions {
  readonly path: string;
  /** Reads bypass the page cache of the file that holds the disk, which would keep them twice. */
  readonly directIo: boolean;
}

export const OPEN_DISK = 'open the disk';
export const MOUNT_DISK = 'mount the disk';

/** Opens the disk while the host's paths are still there. */
export function openDisk(program: LaunchProgram, options: DiskOptions): void {
  open(program, OPEN_DISK, options.path, linux.O_RDONLY, { result: disk });
}

/**
 * Mounts the disk read-only through a loop device that the kernel frees with its last user, so
 * that both go when the sandbox's mount namespace does, however that ends.
 */
export function mountDisk(program: LaunchProgram, target: string, options: DiskOptions): void {
  const again = program.label();
  const done = program.label();
  const device = program.bytes(
    Buffer.concat([Buffer.from(LOOP_PREFIX), Buffer.alloc(DECIMAL_BYTES)]),
  );
  const config = program.bytes(loopConfig(options.directIo));
  const name = 'attach a loop device';
  open(program, name, '/dev/loop-control', linux.O_RDWR, { result: control });
  program.place(again);
  program.call(name, 'ioctl', [control, linux.LOOP_CTL_GET_FREE, 0], { result: loopNumber });
  program.decimal(name, device, LOOP_PREFIX.length, loopNumber);
  open(program, name, device, linux.O_RDWR, { result: loopDevice });
  program.store(name, config, linux.LOOP_CONFIG_FD_OFFSET, 4, disk);
  // Another process may have taken the free device in between: then ask for another.
  const values = [loopDevice, linux.LOOP_CONFIGURE, config];
  program.call(name, 'ioctl', values, { result: configured, tolerate: ['EBUSY'] });
  program.branchIfEqual(name, configured, 0, done);
  program.call(name, 'close', [loopDevice]);
  program.branchIfEqual(name, 0, 0, again);
  program.place(done);
  const flags = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV;
  const type = program.text('ext4');
  const data = program.text('noload');
  program.call(MOUNT_DISK, 'mount', [device, program.text(target), type, flags, data]);
  for (const fd of [loopDevice, control, disk]) program.call('close the disk', 'close', [fd]);
  const attached = record(program, RECORD.loop);
  program.store('report the loop device', attached, RECORD_VALUE_OFFSET, 4, loopNumber);
  report(program, 'report the loop device', attached);
}

function loopConfig(directIo: boolean): Buffer {
  const content = Buffer.alloc(linux.LOOP_CONFIG_BYTES);
  const flags =
    linux.LO_FLAGS_READ_ONLY | linux.LO_FLAGS_AUTOCLEAR | (directIo ? linux.LO_FLAGS_DIRECT_IO : 0);
  content.writeUInt32LE(flags, linux.LOOP_CONFIG_FLAGS_OFFSET);
  return content;
}
