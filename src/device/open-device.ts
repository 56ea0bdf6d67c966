import { limits, SluiceError } from '../base/mod.ts';
import type { AccessLog } from './access-log.ts';
import type { DeviceRequest, SealedDeviceRequest } from './messages.ts';

const DEVICE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

interface DeviceOptions {
  /** Unique on this worker; the file's name. */
  readonly deviceId: string;
  readonly accountId: string;
  readonly manifestBytes: Buffer;
  /** The root that the manifest's chunks rest in. */
  readonly rootId: string;
  readonly writable: boolean;
  /** Room for what is written, in bytes. */
  readonly overlayLimitBytes?: number;
  /** Note which pages are read, for `Device.accessLog`. */
  readonly record?: boolean;
  /** The log of an earlier start of this manifest: its chunks are fetched ahead of the reads. */
  readonly replay?: AccessLog;
  /** The index of the manifest's start pack, as the origin has it; its chunks rest in `rootId`. */
  readonly pack?: Buffer;
}

export interface OpenDeviceRequest extends DeviceOptions {
  /**
   * Answers the manifest's data key sealed for the agent that has this public key, so that no other
   * process sees it in clear.
   */
  readonly sealKey: (recipient: Uint8Array) => Promise<Uint8Array>;
}

/** A device in this very process, which holds the key. */
export interface LocalDeviceRequest extends DeviceOptions {
  /** Opens this manifest only; the caller overwrites its own copy when done. */
  readonly dataKey: Buffer;
}

/** With a data key of its own. Throws `USAGE` for an id unfit as a name. */
export function toDeviceRequest(request: LocalDeviceRequest): DeviceRequest {
  return { ...toUnkeyedRequest(request), dataKey: Buffer.from(request.dataKey) };
}

/**
 * What the agent is told; it never learns more of the account than its manifest says. Rejects with
 * `USAGE` for an id unfit as a name, and with the key service's errors.
 */
export async function toSealedRequest(
  request: OpenDeviceRequest,
  recipient: Uint8Array,
): Promise<SealedDeviceRequest> {
  const unkeyed = toUnkeyedRequest(request);
  return { ...unkeyed, sealedKey: await request.sealKey(recipient) };
}

function toUnkeyedRequest(request: DeviceOptions): Omit<DeviceRequest, 'dataKey'> {
  const { deviceId, manifestBytes, rootId, writable, replay, pack } = request;
  if (!DEVICE_ID.test(deviceId)) {
    throw new SluiceError('USAGE', `${deviceId}: a device id has letters, digits, dots, dashes`);
  }
  return {
    deviceId,
    manifestBytes,
    rootId,
    writable,
    overlayLimitBytes: request.overlayLimitBytes ?? limits.device.overlayBytes,
    record: request.record ?? false,
    ...(replay && { replay }),
    ...(pack && { pack }),
  };
}
