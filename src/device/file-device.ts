import type { ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import type { Clock } from '../base/mod.ts';
import { unmountFuse } from '../fuse/mod.ts';
import { AgentProcess } from './agent-process.ts';
import { AgentDevice, type Device } from './device.ts';
import type { OpenDeviceRequest } from './open-device.ts';
import { clearStaleFile } from './stale-mounts.ts';

export interface FileDeviceOptions<Settings> {
  /** Starts an agent process in this process's own mount namespace. */
  readonly spawn: () => ChildProcess;
  /** For the overlay; made, and removed with the device. */
  readonly directory: string;
  readonly settings: Settings;
  /** An existing plain file, over which the device is mounted for all the host to see. */
  readonly file: string;
  readonly clock: Clock;
}

/**
 * One device, by an agent of its own, mounted on a file of the host. Unlike a pool's devices it is
 * in the host's mount table: closing it unmounts, so does the death of the agent or of this process,
 * and what is left when both are killed at once goes when the file is mounted on again.
 */
export async function openDeviceOnFile<Settings>(
  request: OpenDeviceRequest,
  options: FileDeviceOptions<Settings>,
): Promise<Device> {
  const { spawn, directory, settings, file, clock } = options;
  await clearStaleFile(file);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const agent = new AgentProcess<Settings>(spawn(), clock);
  let mounted = false;
  const unmountOnce = async () => {
    if (!mounted) return;
    mounted = false;
    await unmountFuse(file).catch(() => {});
  };
  const onClose = async () => {
    await unmountOnce();
    await agent.kill();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await agent.start({ directory, settings, file });
    mounted = true;
    agent.died.addEventListener('abort', () => void unmountOnce());
    await agent.open(request);
  } catch (error) {
    await onClose();
    throw error;
  }
  return new AgentDevice({ deviceId: request.deviceId, path: file, agent, onClose });
}
