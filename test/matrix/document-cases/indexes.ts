import { mediaTypes } from '../../../src/oci/media-types.ts';
import type { DocumentCase } from '../document-case.ts';
import { asRoot, indexOf, type Json, manifestOf } from '../documents.ts';
import type { RawLayout } from '../raw-layout.ts';

const amd64 = { platform: { os: 'linux', architecture: 'amd64' } };
const arm64 = { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } };
const variant = (variant: string) => ({ platform: { ...amd64.platform, variant } });

type Entry = readonly [file: string, beside: object, architecture?: string];

/** An index of images that are told apart by their one file. */
const index = (name: string, entries: readonly Entry[], mediaType?: string): DocumentCase => ({
  name,
  build: (layout) =>
    asRoot(
      indexOf(
        layout,
        entries.map((each) => entry(layout, each)),
        mediaType,
      ),
    ),
});

function entry(layout: RawLayout, [file, beside, architecture = 'amd64']: Entry) {
  const manifest = manifestOf(layout, { file, config: (usual) => ({ ...usual, architecture }) });
  return [manifest, beside] as const;
}

/** Of an index, what `change` makes of it. */
const changed = (name: string, change: (index: Json) => object): DocumentCase => ({
  name,
  build: (layout) => asRoot(change(indexOf(layout, [entry(layout, ['f', amd64])])) as Json),
});

/** So many indexes, one in the other. */
const nested = (name: string, depth: number): DocumentCase => ({
  name,
  build: (layout) => {
    let document: Json = manifestOf(layout);
    for (let level = 0; level < depth; level++) document = indexOf(layout, [[document, amd64]]);
    return asRoot(document);
  },
});

const unknown = { platform: { os: 'unknown', architecture: 'unknown' } };
const BY_CONFIG =
  'an entry that does not say what it is for is asked for its configuration, as containerd does';

export const indexCases: readonly DocumentCase[] = [
  index('an index of two platforms', [
    ['arm', arm64, 'arm64'],
    ['amd', amd64],
  ]),
  index(
    'Docker’s list of two platforms',
    [
      ['arm', arm64, 'arm64'],
      ['amd', amd64],
    ],
    mediaTypes.dockerList,
  ),
  index('two entries of one platform: the first', [
    ['first', amd64],
    ['second', amd64],
  ]),
  index('a variant that is empty', [['f', variant('')]]),
  index('an attestation beside', [
    ['f', amd64],
    ['proof', unknown, 'unknown'],
  ]),
  index('an attestation before', [
    ['proof', unknown, 'unknown'],
    ['f', amd64],
  ]),
  index('entries with annotations and an artifact type', [
    ['f', { ...amd64, annotations: { a: 'b' }, artifactType: 'x/y' }],
  ]),
  index('a platform of an older version of Windows beside', [
    ['win', { platform: { os: 'windows', architecture: 'amd64', 'os.version': '10.0.1' } }],
    ['f', amd64],
  ]),
  index('an entry without a platform', [['f', {}]]),
  {
    ...index('a platform of empty words', [['f', { platform: { os: '', architecture: '' } }]]),
    why: BY_CONFIG,
    has: ['/f'],
  },
  index('a platform that is null', [['f', { platform: null }]]),
  {
    ...index('entries without platforms', [
      ['arm', {}, 'arm64'],
      ['amd', {}],
    ]),
    why: BY_CONFIG,
    has: ['/amd'],
  },
  index('an entry without a platform behind another’s', [
    ['arm', arm64, 'arm64'],
    ['amd', {}],
  ]),
  {
    ...index('entries without platforms, none of them right', [
      ['a', {}, 'arm64'],
      ['b', {}, 's390x'],
    ]),
    refuses: 'IMAGE_PLATFORM_MISSING',
    why: BY_CONFIG,
  },
  {
    ...index('an index without this platform', [['arm', arm64, 'arm64']]),
    refuses: 'IMAGE_PLATFORM_MISSING',
  },
  {
    ...index('a variant that not every processor is', [['f', variant('v3')]]),
    refuses: 'IMAGE_PLATFORM_MISSING',
  },
  { ...index('an index of nothing', []), refuses: 'IMAGE_PLATFORM_MISSING' },
  {
    ...changed('manifests that are null', (made) => ({ ...made, manifests: null })),
    refuses: 'IMAGE_PLATFORM_MISSING',
  },
  {
    ...changed('an index without manifests', ({ manifests: _, ...rest }) => rest),
    refuses: 'IMAGE_PLATFORM_MISSING',
  },
  {
    ...changed('manifests that are no list', (made) => ({ ...made, manifests: {} })),
    refuses: 'IMAGE_MALFORMED',
  },
  {
    ...changed('an entry that is not there', (made) => ({
      ...made,
      manifests: [{ ...made['manifests'][0], digest: `sha256:${'3'.repeat(64)}` }],
    })),
    refuses: 'IMAGE_NOT_FOUND',
  },
  {
    ...changed('an entry of another type than its document', (made) => ({
      ...made,
      manifests: [{ ...made['manifests'][0], mediaType: mediaTypes.ociIndex }],
    })),
    refuses: 'IMAGE_MALFORMED',
    why: 'a document that is read as two things is an old confusion (CVE-2021-41190)',
  },
  {
    ...nested('an index in an index', 2),
    why: 'the specification lets an index name an index',
    has: ['/f'],
  },
  { ...nested('indexes nested too deep', 6), refuses: 'IMAGE_MALFORMED' },
];
