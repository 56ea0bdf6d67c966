import { type OciImage, openImage, registryAgent } from '../oci/mod.ts';
import { OutboundGuard } from '../outbound/mod.ts';
import type { FlattenJob } from './flattener-protocol.ts';

/** Opens a job's image by what the job may reach; closing it closes the connections too. */
export async function openJobImage(job: FlattenJob): Promise<OciImage> {
  const { credentials, certificateAuthorities, spoolDirectory, within, outbound, isGuarded } = job;
  const agent = registryAgent(certificateAuthorities);
  const guard = isGuarded ? new OutboundGuard({ ...outbound, agent }) : undefined;
  try {
    const image = await openImage(job.imageUri, {
      platform: { os: 'linux', architecture: job.architecture },
      spoolDirectory,
      ...(credentials && { credentials }),
      ...(certificateAuthorities && { certificateAuthorities }),
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
