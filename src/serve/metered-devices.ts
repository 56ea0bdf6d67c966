import type { Counter, Meter } from '../base/mod.ts';
import type { Device, DeviceStats } from '../device/mod.ts';
import type { ManifestDeviceRequest, ManifestDevices } from './manifest-devices.ts';

interface WorkerDevice {
  readonly path: string;
  close(): Promise<void>;
  stats(): Promise<{ bytesFetched: number; chunksFetched: number }>;
}

/**
 * Devices whose fetches are counted for `/metrics`. What a device fetched is added whenever its
 * statistics are read, and once more when it closes, so that nothing is counted twice.
 */
export class MeteredDevices {
  readonly #devices: ManifestDevices;
  readonly #bytes: Counter;
  readonly #chunks: Counter;

  constructor(devices: ManifestDevices, meter: Meter) {
    this.#devices = devices;
    this.#bytes = meter.counter(
      'sluice_device_fetched_bytes_total',
      'Bytes of chunks that devices fetched because no memory tier had them',
    );
    this.#chunks = meter.counter(
      'sluice_device_fetched_chunks_total',
      'Chunks that devices fetched because no memory tier had them',
    );
  }

  async open(request: ManifestDeviceRequest): Promise<WorkerDevice> {
    const device: Device = await this.#devices.open(request);
    let counted = { bytesFetched: 0, chunksFetched: 0 };
    const count = ({ bytesFetched, chunksFetched }: DeviceStats) => {
      this.#bytes.add(bytesFetched - counted.bytesFetched);
      this.#chunks.add(chunksFetched - counted.chunksFetched);
      counted = { bytesFetched, chunksFetched };
      return counted;
    };
    return {
      path: device.path,
      stats: async () => count(await device.stats()),
      close: async () => {
        const last = await device.close();
        if (last) count(last);
      },
    };
  }
}
