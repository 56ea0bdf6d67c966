/**
 * `node examples/image/build.ts DIRECTORY`: the image of the Dockerfile as an OCI layout, without
 * Docker: Node and its libraries are this machine's own.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../src/base/mod.ts';
import { buildNodeImage } from '../demo/build-image.ts';

const [directory] = process.argv.slice(2);
if (!directory)
  throw new SluiceError('USAGE', 'build.ts DIRECTORY: where the image shall be written');

const client = join(import.meta.dirname, '../../src/runtime/clients/nodejs');
const modules = readdirSync(client, { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.mjs'),
);
const runtime = modules.map((path) => [`var/runtime/${path}`, readFileSync(join(client, path))]);
const image = await buildNodeImage(directory, {
  files: {
    ...Object.fromEntries(runtime),
    'var/task/index.mjs': readFileSync(join(import.meta.dirname, 'index.mjs')),
  },
  handler: 'index.handler',
});
process.stdout.write(`${image}\n`);
