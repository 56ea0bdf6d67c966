import { type OciImage, openImage, registryAgent } from '../oci/mod.ts';
import { OutboundGuard } from '../outbound/mod.ts';
import type { FlattenJob } from './flattener-protocol.ts';

/** Opens a job's image by what the job may reach; closing it closes the connections too. */
export async function openJobImage(job: FlattenJob): Promise<OciImage> {
  const { credentials, spoolDirectory, within, outbound } = job;
  const guard = outbound && new OutboundGuard({ ...outbound, agent: registryAgent });
  try {
    const image = await openImage(job.imageUri, {
      platform: { os: 'linux', architecture: job.architecture },
      spoolDirectory,
      ...(credentials && { credentials }),
      ...(within !== undefined && { within }),
      ...(guard && { dispatcherFor: (url: URL) => guard.agentFor(url) }),
    });
    const close = async () => {
      await image.close();
      await guard?.close();
    };
    return { ...image, close };
  } catch (error) {
    await guard?.close();
    throw error;
  }
}
