import { mediaTypes } from '../../../src/oci/media-types.ts';
import type { DocumentCase } from '../document-case.ts';
import { asRoot, type Json, manifestOf, type Parts } from '../documents.ts';

const one = (name: string, parts: Parts): DocumentCase => ({
  name,
  build: (layout) => asRoot(manifestOf(layout, parts)),
});
const config = (name: string, change: (config: Json) => object) => one(name, { config: change });
const run = (name: string, fields: object) =>
  config(name, (usual) => ({ ...usual, config: { ...usual['config'], ...fields } }));

const AS_DOCKER =
  'Docker’s engine takes such a type for a container image’s (distribution issue 1621)';
const MEANT = 'the fault is told where the image is added, and not at the first start';

const oddTypes = [
  ['application/octet-stream', 'octets'],
  ['application/json', 'JSON'],
  ['text/html', 'HTML'],
  ['', 'nothing'],
] as const;

export const configCases: readonly DocumentCase[] = [
  one('an OCI config', {}),
  {
    ...one('a Docker config in an OCI manifest', { configType: mediaTypes.dockerConfig }),
    why: 'the two are one format under two names',
    has: ['/f'],
  },
  ...oddTypes.map(
    ([configType, what]): DocumentCase => ({
      ...one(`a config typed as ${what}`, { configType }),
      why: AS_DOCKER,
      has: ['/f'],
    }),
  ),
  { ...one('a config without a type', { configType: null }), why: AS_DOCKER, has: ['/f'] },
  {
    ...one('a Helm chart', { configType: 'application/vnd.cncf.helm.config.v1+json' }),
    refuses: 'IMAGE_MEDIA_TYPE_UNKNOWN',
  },
  {
    ...one('an artifact', { configType: 'application/vnd.oci.empty.v1+json' }),
    refuses: 'IMAGE_MEDIA_TYPE_UNKNOWN',
  },
  run('lists that are null', {
    Cmd: null,
    Entrypoint: null,
    Env: null,
    Labels: null,
    Volumes: null,
  }),
  run('empty words', { WorkingDir: '', User: '', StopSignal: '' }),
  run('fields that nobody knows', { OnBuild: [], ArgsEscaped: true, MacAddress: '' }),
  config('no process at all', ({ config: _, ...rest }) => rest),
  config('a process that is null', (usual) => ({ ...usual, config: null })),
  config('a history that is shorter', (usual) => ({ ...usual, history: [] })),
  config('a history that is null', (usual) => ({ ...usual, history: null })),
  config('a history with empty layers', (usual) => ({
    ...usual,
    history: [{ created_by: 'x', empty_layer: true }, ...usual['history']],
  })),
  config('no date', ({ created: _, ...rest }) => rest),
  config('words of Docker’s own', (usual) => ({
    ...usual,
    ...{ container: 'x', docker_version: '20.10', container_config: { Cmd: ['x'] } },
  })),
  {
    ...config('for no platform', ({ os: _, architecture: __, ...rest }) => rest),
    why: 'an image that does not say what it is for is taken at its user’s word',
    has: ['/f'],
  },
  {
    ...run('a bare word for a list', { Entrypoint: '/run' }),
    why: 'Docker wrote a bare word here once',
    has: ['/f'],
  },
  { ...run('a number for a list', { Entrypoint: 5 }), refuses: 'IMAGE_MALFORMED' },
  { ...run('numbers in a list', { Cmd: [5] }), refuses: 'IMAGE_MALFORMED' },
  { ...run('a list for a word', { WorkingDir: ['/'] }), refuses: 'IMAGE_MALFORMED' },
  {
    ...config('fewer diff ids than layers', (usual) => ({
      ...usual,
      rootfs: { type: 'layers', diff_ids: [] },
    })),
    refuses: 'IMAGE_MALFORMED',
  },
  {
    ...config('diff ids that are null, with a layer', (usual) => ({
      ...usual,
      rootfs: { type: 'layers', diff_ids: null },
    })),
    refuses: 'IMAGE_MALFORMED',
  },
  { ...config('no rootfs', ({ rootfs: _, ...rest }) => rest), refuses: 'IMAGE_MALFORMED' },
  {
    ...config('a diff id that is no digest', (usual) => ({
      ...usual,
      rootfs: { type: 'layers', diff_ids: ['sha256:abc'] },
    })),
    refuses: 'IMAGE_MALFORMED',
  },
  {
    ...config('a diff id of other bytes', (usual) => ({
      ...usual,
      rootfs: { type: 'layers', diff_ids: [`sha256:${'1'.repeat(64)}`] },
    })),
    refuses: 'IMAGE_DIGEST_MISMATCH',
  },
  {
    ...config('5 MiB of labels', (usual) => ({
      ...usual,
      config: { Labels: { a: 'x'.repeat(5 << 20) } },
    })),
    refuses: 'IMAGE_MALFORMED',
  },
  {
    ...config('a list for a configuration', () => [] as object),
    refuses: 'IMAGE_MALFORMED',
  },
  {
    name: 'a config that is no JSON',
    build: (layout) => {
      const manifest = manifestOf(layout);
      manifest['config'] = layout.put(mediaTypes.ociConfig, Buffer.from('{"os":'));
      return asRoot(manifest);
    },
    refuses: 'IMAGE_MALFORMED',
  },
  {
    ...config('a config for arm64', (usual) => ({ ...usual, architecture: 'arm64' })),
    refuses: 'IMAGE_PLATFORM_MISSING',
    why: MEANT,
  },
  {
    ...config('a config for Windows', (usual) => ({ ...usual, os: 'windows' })),
    refuses: 'IMAGE_PLATFORM_MISSING',
  },
];
