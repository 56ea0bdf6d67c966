import type { Command } from 'commander';
import { formatBytes } from '../../base/mod.ts';
import { packCode } from '../code-package.ts';
import { LambdaClient } from '../lambda-client.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput, formatTable } from '../output.ts';

const layersPath = '/2018-10-31/layers';
const versionsPath = (name: string) => `${layersPath}/${encodeURIComponent(name)}/versions`;

interface LayerVersion {
  readonly LayerVersionArn: string;
  readonly Version: number;
  readonly Description: string;
  readonly CreatedDate: string;
}

interface Layer {
  readonly LayerName: string;
  readonly LatestMatchingVersion: LayerVersion;
}

interface PublishOptions extends CommonOptions {
  readonly zip: string;
  readonly description?: string;
}

async function listAll(client: LambdaClient): Promise<Layer[]> {
  const all: Layer[] = [];
  let marker: string | undefined;
  do {
    const query = marker ? `?Marker=${encodeURIComponent(marker)}` : '';
    const page = await client.json<{ Layers: Layer[]; NextMarker?: string }>(
      'GET',
      `${layersPath}${query}`,
    );
    all.push(...page.Layers);
    marker = page.NextMarker;
  } while (marker);
  return all;
}

/** Layers: what several functions have in /opt. */
export function registerLayer(program: Command): void {
  const parent = program.command('layer').description('publishes, lists and deletes layers');
  const publish = parent
    .command('publish <name>')
    .description('publishes the next version of a layer; its files come to stand in /opt')
    .requiredOption('--zip <path>', 'a zip archive or a directory')
    .option('--description <text>', 'what is in it');
  withDataOptions(publish).action(async (name: string, options: PublishOptions) => {
    const { archive } = packCode(options.zip);
    const published = await new LambdaClient(options.data).json<LayerVersion>(
      'POST',
      versionsPath(name),
      { Content: { ZipFile: archive.toString('base64') }, Description: options.description },
    );
    const text = `${published.LayerVersionArn} (${formatBytes(archive.length)})`;
    createOutput(options.json).answer(published, text);
  });
  withDataOptions(parent.command('list').description('lists the layers')).action(
    async (options: CommonOptions) => {
      const all = await listAll(new LambdaClient(options.data));
      const rows = all.map(({ LayerName, LatestMatchingVersion: latest }) => [
        ...[LayerName, String(latest.Version), latest.CreatedDate.slice(0, 19)],
        latest.Description,
      ]);
      const header = ['name', 'version', 'created', 'description'];
      const text = rows.length > 0 ? formatTable(header, rows) : 'no layers';
      createOutput(options.json).answer(all, text);
    },
  );
  const remove = parent
    .command('delete <name> <version>')
    .description('deletes one version; functions that have it keep it');
  withDataOptions(remove).action(async (name: string, version: string, options: CommonOptions) => {
    const path = `${versionsPath(name)}/${encodeURIComponent(version)}`;
    await new LambdaClient(options.data).call('DELETE', path);
    const deleted = `${name}:${version}`;
    createOutput(options.json).answer({ deleted }, `deleted ${deleted}`);
  });
}
