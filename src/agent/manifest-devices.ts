import { SluiceError } from '../base/mod.ts';
import type { AccessLog, Device, OpenDeviceRequest } from '../device/mod.ts';
import type { KeyCustody } from '../keys/mod.ts';
import type { DiskLocator } from '../origin/mod.ts';
import { type ManifestHeader, readManifestHeader, wrappedDataKey } from '../seal/mod.ts';

export interface ManifestDeviceRequest {
  readonly deviceId: string;
  readonly accountId: string;
  readonly manifestId: string;
  readonly writable?: boolean;
  /** Note what is read, for an access log. */
  readonly record?: boolean;
  /** Fetch ahead by what earlier starts read. */
  readonly replay?: AccessLog;
  /** What to fetch ahead by where there is no such log. */
  readonly predict?: (header: ManifestHeader) => Promise<AccessLog | undefined>;
}

/** A device, and where what it shows rests. */
export interface ManifestDevice {
  readonly device: Device;
  readonly rootId: string;
  readonly header: ManifestHeader;
  /** Was there a start pack? */
  readonly hasPack: boolean;
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
  readonly #disks: DiskLocator;
  readonly #keys: Pick<KeyCustody, 'unwrapDataKey'>;
  readonly #agents: DeviceOpener;

  constructor(disks: DiskLocator, keys: Pick<KeyCustody, 'unwrapDataKey'>, agents: DeviceOpener) {
    this.#disks = disks;
    this.#keys = keys;
    this.#agents = agents;
  }

  /** Rejects with `MANIFEST_NOT_FOUND`, `ACCESS_DENIED`, and the key service's and agents' errors. */
  async open(request: ManifestDeviceRequest): Promise<ManifestDevice> {
    const { deviceId, accountId, manifestId, writable = false, record } = request;
    const { bytes, rootId, pack } = await this.#disks.findDisk(manifestId);
    const header = readManifestHeader(bytes);
    if (header.accountId !== accountId) {
      throw new SluiceError(
        'ACCESS_DENIED',
        `${manifestId}: the manifest is not sealed for account ${accountId}`,
        { data: { manifestId, accountId } },
      );
    }
    // A pack was made of a log: it needs none beside it.
    const replay = pack ? undefined : (request.replay ?? (await request.predict?.(header)));
    const { key, context } = wrappedDataKey(bytes);
    const device = await this.#agents.open({
      deviceId,
      accountId,
      manifestBytes: bytes,
      sealKey: (recipient) => this.#keys.unwrapDataKey(key, context, recipient),
      rootId,
      writable,
      ...(record && { record }),
      ...(replay && { replay }),
      ...(pack && { pack }),
    });
    return { device, rootId, header, hasPack: pack !== undefined };
  }
}
