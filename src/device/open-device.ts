import { limits, SluiceError } from '../base/mod.ts';
import type { AccessLog } from './access-log.ts';
import type { DeviceRequest } from './messages.ts';

const DEVICE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export interface OpenDeviceRequest {
  /** Unique on this worker; the file's name. */
  readonly deviceId: string;
  readonly accountId: string;
  readonly manifestBytes: Buffer;
  /** Opens this manifest only; the caller overwrites its own copy when done. */
  readonly dataKey: Buffer;
  /** The root that the manifest's chunks rest in. */
  readonly rootId: string;
  readonly writable: boolean;
  /** Room for what is written, in bytes. */
  readonly overlayLimitBytes?: number;
  /** Note which pages are read, for `Device.accessLog`. */
  readonly record?: boolean;
  /** The log of an earlier start of this manifest: its chunks are fetched ahead of the reads. */
  readonly replay?: AccessLog;
}

/**
 * What the agent is told, with a data key of its own; it never learns the account. Throws `USAGE`
 * for an id unfit as a name.
 */
export function toDeviceRequest(request: OpenDeviceRequest): DeviceRequest {
  const { deviceId, manifestBytes, dataKey, rootId, writable, replay } = request;
  if (!DEVICE_ID.test(deviceId)) {
    throw new SluiceError('USAGE', `${deviceId}: a device id has letters, digits, dots, dashes`);
  }
  return {
    deviceId,
    manifestBytes,
    dataKey: Buffer.from(dataKey),
    rootId,
    writable,
    overlayLimitBytes: request.overlayLimitBytes ?? limits.device.overlayBytes,
    record: request.record ?? false,
    ...(replay && { replay }),
  };
}
