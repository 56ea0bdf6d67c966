import type { Counter, Histogram, Logger, Meter } from '../base/mod.ts';
import { type DeviceStats, TIERS, type Tier } from '../device/mod.ts';
import type { OpenDevice } from '../worker/mod.ts';
import type { AccessLogBook } from './access-log-book.ts';
import type { ChunkLore } from './chunk-lore.ts';
import type { ManifestDevice, ManifestDeviceRequest, ManifestDevices } from './manifest-devices.ts';
import type { PackKeeper } from './pack-keeper.ts';

/** Every other bucket of a device's, from 16 µs to a second. */
const SECONDS = Array.from({ length: 9 }, (_, index) => 2 ** (4 + 2 * index) * 1e-6);

export interface WorkerDevicesOptions {
  readonly devices: ManifestDevices;
  readonly accessLogs: AccessLogBook;
  readonly packs: PackKeeper;
  readonly lore: ChunkLore;
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
  readonly #reads: Counter;
  readonly #readBytes: Counter;
  readonly #prefetched: Counter;
  readonly #seconds: Histogram;

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
    const tier = ['tier'];
    this.#reads = meter.counter(
      'sluice_device_reads_total',
      'Reads of devices, by the farthest tier that each needed',
      tier,
    );
    this.#readBytes = meter.counter(
      'sluice_device_read_bytes_total',
      'Bytes read from devices, by the farthest tier that each read needed',
      tier,
    );
    this.#prefetched = meter.counter(
      'sluice_device_prefetched_chunks_total',
      'Chunks that devices fetched ahead: used later, or wasted when the device closed',
      ['outcome'],
    );
    this.#seconds = meter.histogram(
      'sluice_device_read_seconds',
      'Time of reads of devices, by the farthest tier that each needed; the sum is an estimate',
      SECONDS,
      tier,
    );
  }

  async open(request: ManifestDeviceRequest): Promise<OpenDevice> {
    const { devices, accessLogs, lore } = this.#options;
    const replay = await accessLogs.logOf(request.manifestId);
    const opened = await devices.open({
      ...request,
      record: true,
      ...(replay ? { replay } : { predict: (header) => lore.predict(header) }),
    });
    const { device } = opened;
    // Held until the start is over, since a large disk's header is.
    let starting: ManifestDevice | undefined = opened;
    let counted: DeviceStats | undefined;
    const count = (now: DeviceStats) => {
      this.#add(now, counted);
      counted = now;
      return now;
    };
    return {
      path: device.path,
      started: async () => {
        const over = starting;
        starting = undefined;
        if (over) await this.#note(over);
      },
      stats: async () => count(await device.stats()),
      close: async () => {
        const last = await device.close();
        if (last) count(last);
        const wasted = counted ? counted.chunksPrefetched - counted.prefetchedUsed : 0;
        this.#prefetched.add(wasted, { outcome: 'wasted' });
      },
    };
  }

  /** Counts what came since the last time, so that nothing is counted twice. */
  #add(now: DeviceStats, before: DeviceStats | undefined): void {
    this.#bytes.add(now.bytesFetched - (before?.bytesFetched ?? 0));
    this.#chunks.add(now.chunksFetched - (before?.chunksFetched ?? 0));
    const used = now.prefetchedUsed - (before?.prefetchedUsed ?? 0);
    this.#prefetched.add(used, { outcome: 'used' });
    for (const tier of TIERS) {
      const { reads, bytes, latencyUs } = now.tiers[tier];
      this.#observe(tier, latencyUs, before?.tiers[tier].latencyUs ?? []);
      this.#reads.add(reads - (before?.tiers[tier].reads ?? 0), { tier });
      this.#readBytes.add(bytes - (before?.tiers[tier].bytes ?? 0), { tier });
    }
  }

  /** Bucket i of a device counts what took between 2^(i-1) and 2^i µs. */
  #observe(tier: Tier, now: readonly number[], before: readonly number[]): void {
    for (const [bucket, count] of now.entries()) {
      const seconds = 0.75 * 2 ** bucket * 1e-6;
      for (let i = before[bucket] ?? 0; i < count; i++) this.#seconds.observe(seconds, { tier });
    }
  }

  async #note({ device, rootId, header, hasPack }: ManifestDevice): Promise<void> {
    const { accessLogs, packs, lore } = this.#options;
    const { manifestId } = header;
    try {
      const runs = await device.accessRuns();
      const { merged, isChanged, isRenewed } = await accessLogs.started({ manifestId, runs });
      if (isRenewed || !hasPack) {
        packs.keep({ log: merged, rootId, accountId: header.accountId, device, isRenewed });
      }
      // Of a hundred starts at once the first few tell what there is to know.
      if (isChanged) await lore.learn(header, merged);
    } catch (error) {
      this.#options.logger.warn({ manifestId, error }, 'a start was not recorded');
    }
  }
}
