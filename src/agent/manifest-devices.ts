import { SluiceError } from '../base/mod.ts';
import type { AccessLog, Device, OpenDeviceRequest } from '../device/mod.ts';
import type { ManifestSource } from '../origin/mod.ts';
import { type KeyService, readManifestHeader, unwrapDataKey } from '../seal/mod.ts';

export interface ManifestDeviceRequest {
  readonly deviceId: string;
  readonly accountId: string;
  readonly manifestId: string;
  readonly writable?: boolean;
  /** Note what is read, for an access log. */
  readonly record?: boolean;
  /** Fetch ahead by what earlier starts read. */
  readonly replay?: AccessLog;
}

/** The part of the agent pool that opens devices. */
interface DeviceOpener {
  open(request: OpenDeviceRequest): Promise<Device>;
}

/**
 * Opens devices by manifest id: finds the manifest, has the key service unwrap its data key, and
 * hands both to the account's agent. The agent gets no other key, and this process keeps none.
 */
export class ManifestDevices {
  readonly #manifests: ManifestSource;
  readonly #keyService: KeyService;
  readonly #agents: DeviceOpener;

  constructor(manifests: ManifestSource, keyService: KeyService, agents: DeviceOpener) {
    this.#manifests = manifests;
    this.#keyService = keyService;
    this.#agents = agents;
  }

  /** Rejects with `MANIFEST_NOT_FOUND`, `ACCESS_DENIED`, and the key service's and agents' errors. */
  async open(request: ManifestDeviceRequest): Promise<Device> {
    const { deviceId, accountId, manifestId, writable = false, record, replay } = request;
    const { bytes, rootId } = await this.#manifests.findManifest(manifestId);
    const header = readManifestHeader(bytes);
    if (header.accountId !== accountId) {
      throw new SluiceError(
        'ACCESS_DENIED',
        `${manifestId}: the manifest is not sealed for account ${accountId}`,
        { data: { manifestId, accountId } },
      );
    }
    const dataKey = await unwrapDataKey(bytes, this.#keyService);
    try {
      return await this.#agents.open({
        deviceId,
        accountId,
        manifestBytes: bytes,
        dataKey,
        rootId,
        writable,
        ...(record && { record }),
        ...(replay && { replay }),
      });
    } finally {
      dataKey.fill(0);
    }
  }
}
