import { CHUNK_SIZE_BYTES } from '../../../base/mod.ts';
import * as linux from '../../launch/linux.ts';
import {
  type DataReference,
  type LaunchProgram,
  type Register,
  register,
} from '../../launch/program.ts';
import { mount, open, RECORD, RECORD_VALUE_OFFSET, record, report } from './common.ts';

const LOOP_PREFIX = '/dev/loop';
const DECIMAL_BYTES = 21;
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

/**
 * Mounts the disk read-only through a loop device that the kernel frees with its last user, so
 * that both go when the sandbox's mount namespace does, however that ends. `file` is the disk,
 * opened while the host's paths were still there; it is closed.
 */
export function mountDisk(
  program: LaunchProgram,
  file: Register,
  target: string,
  directIo: boolean,
): void {
  const device = attachLoopDevice(program, file, linux.LO_FLAGS_READ_ONLY, directIo);
  const sectors = CHUNK_SIZE_BYTES / linux.SECTOR_BYTES;
  // More would fetch chunks that nobody touches, less would ask for a chunk in pieces.
  program.call('set the read-ahead', 'ioctl', [loopDevice, linux.BLKRASET, sectors]);
  const flags = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV;
  mount(program, MOUNT_DISK, { source: device, target, type: 'ext4', flags, data: 'noload' });
  program.call('close the disk', 'close', [loopDevice]);
}

/** Mounts a disk of our own making, to be written to and forgotten with the sandbox. */
export function mountScratchDisk(program: LaunchProgram, file: Register, target: string): void {
  const device = attachLoopDevice(program, file, 0, true);
  const flags = linux.MS_NOSUID | linux.MS_NODEV;
  const data = 'noinit_itable,nobarrier';
  mount(program, 'mount the disk of /tmp', { source: device, target, type: 'ext4', flags, data });
  program.call('close the disk of /tmp', 'close', [loopDevice]);
}

/** Answers where the path of the device will be; the device stays open. */
function attachLoopDevice(
  program: LaunchProgram,
  file: Register,
  flags: number,
  directIo: boolean,
): DataReference {
  const again = program.label();
  const done = program.label();
  const path = Buffer.concat([Buffer.from(LOOP_PREFIX), Buffer.alloc(DECIMAL_BYTES)]);
  const device = program.bytes(path);
  const config = program.bytes(loopConfig(flags | (directIo ? linux.LO_FLAGS_DIRECT_IO : 0)));
  const name = 'attach a loop device';
  open(program, name, '/dev/loop-control', linux.O_RDWR, { result: control });
  program.place(again);
  program.call(name, 'ioctl', [control, linux.LOOP_CTL_GET_FREE, 0], { result: loopNumber });
  program.decimal(name, device, LOOP_PREFIX.length, loopNumber);
  open(program, name, device, linux.O_RDWR, { result: loopDevice });
  program.store(name, config, linux.LOOP_CONFIG_FD_OFFSET, 4, file);
  // Another process may have taken the free device in between: then ask for another.
  const values = [loopDevice, linux.LOOP_CONFIGURE, config];
  program.call(name, 'ioctl', values, { result: configured, tolerate: ['EBUSY'] });
  program.branchIfEqual(name, configured, 0, done);
  program.call(name, 'close', [loopDevice]);
  program.branchIfEqual(name, 0, 0, again);
  program.place(done);
  for (const each of [control, file]) program.call(name, 'close', [each]);
  const attached = record(program, RECORD.loop);
  program.store('report the loop device', attached, RECORD_VALUE_OFFSET, 4, loopNumber);
  report(program, 'report the loop device', attached);
  return device;
}

function loopConfig(flags: number): Buffer {
  const content = Buffer.alloc(linux.LOOP_CONFIG_BYTES);
  content.writeUInt32LE(flags | linux.LO_FLAGS_AUTOCLEAR, linux.LOOP_CONFIG_FLAGS_OFFSET);
  return content;
}
