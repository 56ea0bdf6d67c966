import { type Command, Option } from 'commander';
import { SluiceError } from '../../base/mod.ts';
import {
  type CommonOptions,
  type L2Flags,
  l2Settings,
  withDataOptions,
  withL2Options,
} from '../options.ts';
import { createOutput } from '../output.ts';
import { untilSignalled, untilSignalledOrDead } from '../signals.ts';

interface ServeOptions extends CommonOptions, L2Flags {
  readonly fuse?: string;
  readonly nbd?: string;
  readonly writable: boolean;
  readonly record?: string;
  readonly replay?: string;
}

export function registerDevice(program: Command): void {
  const parent = program.command('device').description("serves stored images' disks");
  const command = parent
    .command('serve <id>')
    .description('serves one disk until SIGTERM or Ctrl-C, and prints what it did')
    .addOption(new Option('--fuse <file>', 'mount it over this existing file').conflicts('nbd'))
    .option('--nbd <socket>', 'serve it by NBD on this unix socket')
    .option('--writable', 'take writes, into an overlay that is dropped', false)
    .option('--record <log>', 'write the access log to this file')
    .option('--replay <log>', 'fetch ahead by this access log');
  withDataOptions(withL2Options(command)).action(async (id: string, options: ServeOptions) => {
    if (options.fuse === undefined && options.nbd === undefined) {
      throw new SluiceError('USAGE', 'device serve: --fuse FILE or --nbd SOCKET is wanted');
    }
    const { serveDevice } = await import('../../serve/mod.ts');
    const output = createOutput(options.json);
    const signalled = untilSignalled();
    const device = await serveDevice({
      dataPath: options.data,
      manifestId: id,
      fuseFile: options.fuse,
      nbdSocket: options.nbd,
      writable: options.writable,
      recordFile: options.record,
      replayFile: options.replay,
      l2: l2Settings(options),
    });
    const where = options.fuse ?? options.nbd;
    output.answer({ event: 'ready', manifestId: id, where }, `${id} is served at ${where}`);
    try {
      await untilSignalledOrDead(signalled, device.died);
    } finally {
      const stats = await device.close();
      const text = stats
        ? `${stats.reads} reads, ${stats.readBytes} bytes; ${stats.chunksFetched} chunks fetched`
        : 'closed';
      output.answer({ event: 'closed', stats }, text);
    }
  });
}
