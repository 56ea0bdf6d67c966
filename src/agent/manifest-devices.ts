import { SluiceError } from '../base/mod.ts';
import type { AccessLog, Device, OpenDeviceRequest } from '../device/mod.ts';
import type { KeyCustody } from '../keys/mod.ts';
import type { ManifestSource } from '../origin/mod.ts';
import { readManifestHeader, wrappedDataKey } from '../seal/mod.ts';

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
 * Opens devices by manifest id: finds the manifest and hands it to the account's agent, with its data
 * key as the key process sealed it for that agent. The agent gets no other key, this process none.
 */
export class ManifestDevices {
  readonly #manifests: ManifestSource;
  readonly #keys: Pick<KeyCustody, 'unwrapDataKey'>;
  readonly #agents: DeviceOpener;

  constructor(
    manifests: ManifestSource,
    keys: Pick<KeyCustody, 'unwrapDataKey'>,
    agents: DeviceOpener,
  ) {
    this.#manifests = manifests;
    this.#keys = keys;
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
    const { key, context } = wrappedDataKey(bytes);
    return await this.#agents.open({
      deviceId,
      accountId,
      manifestBytes: bytes,
      sealKey: (recipient) => this.#keys.unwrapDataKey(key, context, recipient),
      rootId,
      writable,
      ...(record && { record }),
      ...(replay && { replay }),
    });
  }
}
