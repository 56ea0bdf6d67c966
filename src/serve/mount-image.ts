import { join } from 'node:path';
import { type AgentSettings, agentSettings, ManifestDevices, spawnAgent } from '../agent/mod.ts';
import { noLogger, SluiceError, systemClock, systemRandom } from '../base/mod.ts';
import {
  AgentPool,
  clearStaleMount,
  type DeviceStats,
  mountDevice,
  unmountDevice,
} from '../device/mod.ts';
import { readManifestHeader } from '../seal/mod.ts';
import { openStores } from './stores.ts';

export interface MountedImage {
  /** Aborted when the device's agent died, with the reason: all reads fail from then on. */
  readonly died: AbortSignal;
  /** Resolves with what the device did once nothing of it is left. */
  unmount(): Promise<DeviceStats | undefined>;
}

/** Shows a stored image's disk in a directory of the host, through an agent of its own. */
export async function mountImage(
  dataPath: string,
  manifestId: string,
  directory: string,
  readOnly: boolean,
): Promise<MountedImage> {
  await clearStaleMount(directory);
  const stores = await openStores(dataPath);
  const agents = new AgentPool<AgentSettings>({
    spawn: (place) => spawnAgent(place, stores.jails),
    directory: join(stores.data.run, `mount-${process.pid}`),
    settings: await agentSettings(stores),
    spareAgents: 0,
    clock: systemClock,
    random: systemRandom,
    logger: noLogger,
  });
  try {
    const { bytes } = await stores.origin.findManifest(manifestId);
    const { accountId } = readManifestHeader(bytes);
    const devices = new ManifestDevices(stores.origin, stores.keys, agents);
    const deviceId = `mount-${manifestId}`;
    const { device } = await devices.open({ deviceId, accountId, manifestId, writable: !readOnly });
    await mountDevice(device.path, directory, { readOnly });
    return {
      died: device.died,
      unmount: async () => {
        await unmountDevice(directory, { lazy: device.died.aborted });
        const stats = await device.close();
        await agents.close();
        return stats;
      },
    };
  } catch (error) {
    await agents.close();
    if (error instanceof SluiceError) throw error;
    throw new SluiceError('INTERNAL', `${directory}: the image could not be mounted`, {
      cause: error,
    });
  }
}
