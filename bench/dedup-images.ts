import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { SeededRandom } from '../src/base/mod.ts';
import { TarWriter } from '../src/oci/mod.ts';

/** An image as the list of its layers' tar files, lowest first. */
export interface BenchImage {
  readonly name: string;
  readonly layers: readonly string[];
}

/** An image, and those that a store has already when it comes. */
export interface BenchStep {
  readonly image: BenchImage;
  readonly before: readonly BenchImage[];
}

export interface Family {
  readonly name: string;
  readonly about: string;
  readonly steps: readonly BenchStep[];
}

const main = 'deb http://deb.debian.org/debian bookworm main';
const updates = [
  'deb http://deb.debian.org/debian bookworm-updates main',
  'deb http://deb.debian.org/debian-security bookworm-security main',
];

/** What mmdebstrap builds: packages besides the base, and from which archives. */
const roots: Record<string, { include: string; sources: readonly string[] }> = {
  base: { include: '', sources: [main, ...updates] },
  'base-old': { include: '', sources: [main] },
  python: { include: 'python3', sources: [main, ...updates] },
  numpy: { include: 'python3-numpy', sources: [main, ...updates] },
  'numpy-rebuilt': { include: 'python3-numpy', sources: [main, ...updates] },
  pairb: { include: 'python3-numpy,python3-requests,python3-flask', sources: [main, ...updates] },
  node: { include: 'nodejs', sources: [main, ...updates] },
  php: { include: 'php-cli', sources: [main, ...updates] },
  phpb: {
    include: 'php-cli,php-xml,php-mysql,php-curl,php-twig',
    sources: [main, ...updates],
  },
  java: { include: 'default-jre-headless', sources: [main, ...updates] },
};

/** Builds a root file system's tar, or takes the one that an earlier run left in `scratch`. */
function rootImage(scratch: string, name: string): BenchImage {
  const tar = join(scratch, `${name}.tar`);
  const root = roots[name];
  if (!existsSync(tar) && root) {
    const unfinished = join(scratch, `${name}.tmp.tar`);
    const include = root.include === '' ? [] : [`--include=${root.include}`];
    const options = ['--quiet', '--variant=minbase', ...include, 'bookworm', unfinished];
    execFileSync('mmdebstrap', [...options, ...root.sources], { stdio: 'inherit' });
    renameSync(unfinished, tar);
  }
  return { name, layers: [tar] };
}

async function writeTar(path: string, write: (tar: TarWriter) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  const output = await open(`${path}.tmp`, 'w');
  const tar = new TarWriter(async (bytes) => {
    await output.write(bytes);
  });
  await write(tar);
  await tar.end();
  await output.close();
  renameSync(`${path}.tmp`, path);
  return path;
}

const versions = 10;
const mtimeSeconds = 1_700_000_000;

/** Text of the kind that source files are made of: never twice the same for two seeds. */
function sourceText(seed: number, bytes: number): Buffer {
  return Buffer.from(new SeededRandom(seed).bytes(Math.ceil(bytes / 2)).toString('hex'));
}

/**
 * Ten versions of an application above a base: 60 dependencies of 5 to 60 files in a layer of their
 * own, one of them updated in every third version; 250 files of its own, 8 of them changed in each
 * version, one added.
 */
async function applications(scratch: string, base: BenchImage): Promise<BenchImage[]> {
  const images: BenchImage[] = [];
  for (let version = 1; version <= versions; version++) {
    const generation = Math.floor(version / 3);
    const dependencies = join(scratch, `dependencies-${generation}.tar`);
    await writeTar(dependencies, (tar) => writeDependencies(tar, generation));
    const code = join(scratch, `application-${version}.tar`);
    await writeTar(code, (tar) => writeApplication(tar, version));
    const layers = [...base.layers, dependencies, code];
    images.push({ name: `${base.name} with application ${version}`, layers });
  }
  return images;
}

async function writeDependencies(tar: TarWriter, generation: number): Promise<void> {
  const common = { mode: 0o755, mtimeSeconds };
  await tar.add({ path: 'app', kind: 'directory', ...common });
  await tar.add({ path: 'app/node_modules', kind: 'directory', ...common });
  for (let d = 0; d < 60; d++) {
    const updated = d % 20 < generation ? generation : 0;
    const random = new SeededRandom(d);
    const directory = `app/node_modules/dependency-${d}`;
    await tar.add({ path: directory, kind: 'directory', ...common });
    const files = 5 + Math.floor(random.float() * 55);
    for (let f = 0; f < files; f++) {
      const bytes = 200 + Math.floor(random.float() ** 6 * 90_000);
      const content = sourceText(d * 1000 + f + updated * 1_000_000, bytes);
      await tar.add({ path: `${directory}/file-${f}.js`, kind: 'file', ...common }, content);
    }
  }
}

async function writeApplication(tar: TarWriter, version: number): Promise<void> {
  const common = { mode: 0o644, mtimeSeconds: mtimeSeconds + version };
  await tar.add({ path: 'app', kind: 'directory', ...common, mode: 0o755 });
  await tar.add({ path: 'app/src', kind: 'directory', ...common, mode: 0o755 });
  for (let f = 0; f < 250 + version; f++) {
    const changes = Array.from({ length: version }, (_, v) => (f * 31 + v * 17) % 32 === 0);
    const lastChange = changes.lastIndexOf(true) + 1;
    const bytes = 500 + ((f * 7919) % 20_000);
    const content = sourceText(90_000_000 + f * 100 + lastChange, bytes);
    await tar.add({ path: `app/src/module-${f}.js`, kind: 'file', ...common }, content);
  }
}

/** Each image after those before it. */
function chain(images: readonly BenchImage[]): BenchStep[] {
  return images.slice(1).map((image, i) => ({ image, before: images.slice(0, i + 1) }));
}

/** Those of `imageFamilies`. */
export const familyNames = [
  're-upload',
  'pair',
  'held out',
  'rebuilt',
  'updated',
  'bases',
  'applications on python',
  'applications on node',
  'applications on java',
];

/** The families that the benchmark measures; tars stay in `scratch` for the next run. */
export async function imageFamilies(scratch: string): Promise<Family[]> {
  mkdirSync(scratch, { recursive: true });
  const root = (name: string) => rootImage(scratch, name);
  const numpy = root('numpy');
  const families: Family[] = [
    {
      name: 're-upload',
      about: 'the same image again',
      steps: [{ image: numpy, before: [numpy] }],
    },
    {
      name: 'pair',
      about: 'NumPy; independently built: NumPy, requests and Flask',
      steps: chain([numpy, root('pairb')]),
    },
    {
      name: 'held out',
      about:
        'a pair that no packing was tried on: PHP; independently built: PHP and five extensions',
      steps: chain([root('php'), root('phpb')]),
    },
    {
      name: 'rebuilt',
      about: 'the same packages, built a second time',
      steps: chain([numpy, root('numpy-rebuilt')]),
    },
    {
      name: 'updated',
      about: 'the base, then with the nine packages that security updates changed',
      steps: chain([root('base-old'), root('base')]),
    },
    {
      name: 'bases',
      about: 'independently built: a base; with Python; with NumPy; with Node; with a JRE',
      steps: chain([root('base'), root('python'), numpy, root('node'), root('java')]),
    },
  ];
  for (const base of ['python', 'node', 'java']) {
    families.push({
      name: `applications on ${base}`,
      about: 'ten versions of an application',
      steps: chain([root(base), ...(await applications(scratch, root(base)))]),
    });
  }
  return families;
}
