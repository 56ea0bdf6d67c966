import type { Counter, Logger, Meter } from '../base/mod.ts';
import type { Device, DeviceStats } from '../device/mod.ts';
import type { OpenDevice } from '../worker/mod.ts';
import type { AccessLogBook } from './access-log-book.ts';
import type { ManifestDeviceRequest, ManifestDevices } from './manifest-devices.ts';

export interface WorkerDevicesOptions {
  readonly devices: ManifestDevices;
  readonly accessLogs: AccessLogBook;
  readonly meter: Meter;
  readonly logger: Logger;
}

/**
 * The devices of a worker's sandboxes: each start is recorded and helped by what earlier ones read,
 * and what devices fetch is counted for `/metrics`.
 */
export class WorkerDevices {
  readonly #options: WorkerDevicesOptions;
  readonly #bytes: Counter;
  readonly #chunks: Counter;

  constructor(options: WorkerDevicesOptions) {
    this.#options = options;
    const { meter } = options;
    this.#bytes = meter.counter(
      'sluice_device_fetched_bytes_total',
      'Bytes of chunks that devices fetched because no memory tier had them',
    );
    this.#chunks = meter.counter(
      'sluice_device_fetched_chunks_total',
      'Chunks that devices fetched because no memory tier had them',
    );
  }

  async open(request: ManifestDeviceRequest): Promise<OpenDevice> {
    const { devices, accessLogs } = this.#options;
    const replay = await accessLogs.logOf(request.manifestId);
    const device = await devices.open({ ...request, record: true, ...(replay && { replay }) });
    let counted = { bytesFetched: 0, chunksFetched: 0 };
    const count = ({ bytesFetched, chunksFetched }: DeviceStats) => {
      this.#bytes.add(bytesFetched - counted.bytesFetched);
      this.#chunks.add(chunksFetched - counted.chunksFetched);
      counted = { bytesFetched, chunksFetched };
      return counted;
    };
    return {
      path: device.path,
      started: () => this.#note(request.manifestId, device),
      stats: async () => count(await device.stats()),
      close: async () => {
        const last = await device.close();
        if (last) count(last);
      },
    };
  }

  async #note(manifestId: string, device: Device): Promise<void> {
    try {
      const runs = await device.accessRuns();
      await this.#options.accessLogs.started({ manifestId, runs });
    } catch (error) {
      this.#options.logger.warn({ manifestId, error }, 'a start was not recorded');
    }
  }
}
