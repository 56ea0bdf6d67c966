import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { SluiceError } from '../base/mod.ts';
import type { SdkSettings } from '../config/mod.ts';
import type { LayerToWrite } from '../oci/mod.ts';
import { type HostFile, tree, withLibraries } from './host-files.ts';
import { hostLayer } from './host-layer.ts';

const execute = promisify(execFile);

/** AWS's SDK in a managed runtime, where Lambda has it: in /var/runtime. */
export interface HostSdk {
  /** What it is and which: part of a base's name, so that an upgrade renews it. */
  readonly name: string;
  readonly layer: () => Promise<LayerToWrite>;
}

const RUNTIME = '/var/runtime';
const GZIP_LEVEL = 5;

const versionIn = (text: string) => /^__version__ = ['"]([\w.+-]+)['"]/m.exec(text)?.[1];

/** A chosen directory may be filled anew without another version in it. */
async function making(directory: string): Promise<string> {
  const { mtimeMs } = await stat(directory);
  return createHash('sha256').update(`${directory} ${mtimeMs}`).digest('hex').slice(0, 12);
}

function moved(files: readonly HostFile[], from: string, to: string): HostFile[] {
  return files.map((file) => ({ ...file, target: join(to, relative(from, file.target)) }));
}

/**
 * The packages that boto3 loads, by asking it. Those that it does without are left out: they bring
 * libraries of the host along.
 */
const askPackages = `
import json, sys
import boto3, boto3.s3.transfer
boto3.client("sqs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
names = {name.split(".")[0] for name in sys.modules if not name.startswith("_")}
names -= {"OpenSSL", "awscrt", "cryptography", "cffi", "simplejson", "sitecustomize"}
files = [getattr(sys.modules.get(name), "__file__", None) for name in names]
print(json.dumps(sorted(f for f in files if f and ("site-packages" in f or "dist-packages" in f))))
`;

async function hostPackages(python: string): Promise<HostFile[]> {
  const { stdout } = await execute(python, ['-I', '-c', askPackages]);
  const all: HostFile[] = [];
  for (const file of JSON.parse(stdout) as string[]) {
    const isPackage = basename(file).startsWith('__init__.');
    const path = await realpath(isPackage ? dirname(file) : file);
    const files = isPackage ? await tree(path) : [{ source: path, target: path }];
    all.push(...moved(files, dirname(path), RUNTIME));
  }
  return all;
}

/** Releases of botocore before this one know no AWS_ENDPOINT_URL. */
const KNOWS_ENDPOINTS = [1, 31];
const teachEndpoints =
  '\n\nfrom sluice_client.endpoints import honour_environment\n\nhonour_environment(Session)\n';

function isBefore(version: string, [major = 0, minor = 0]: readonly number[]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}

/** Nine tenths of botocore are descriptions of services, which it reads compressed as well. */
async function adapted(files: readonly HostFile[]): Promise<HostFile[]> {
  const sourceOf = (name: string) =>
    files.find(({ target }) => target === join(RUNTIME, 'botocore', name))?.source;
  const textOf = async (name: string) => {
    const source = sourceOf(name);
    return source === undefined ? '' : readFile(source, 'utf8');
  };
  const readsGzip = (await textOf('loaders.py')).includes('.json.gz');
  const isOld = isBefore(versionIn(await textOf('__init__.py')) ?? '', KNOWS_ENDPOINTS);
  return files.map((file): HostFile => {
    const { target } = file;
    if (readsGzip && /\/botocore\/data\/.*\.json$/.test(target)) {
      const change = (content: Buffer) => gzipSync(content, { level: GZIP_LEVEL });
      return { ...file, target: `${target}.gz`, change };
    }
    if (isOld && target === join(RUNTIME, 'botocore/session.py')) {
      return {
        ...file,
        change: (content) => Buffer.concat([content, Buffer.from(teachEndpoints)]),
      };
    }
    return file;
  });
}

async function pythonLayer(files: readonly HostFile[]): Promise<LayerToWrite> {
  const modules = files.filter(({ source }) => /\.so(\.|$)/.test(basename(source)));
  const paths = new Set(modules.map(({ source }) => source));
  const linked = await withLibraries([...paths]);
  const libraries = linked.filter(({ source }) => !paths.has(source));
  return hostLayer([...(await adapted(files)), ...libraries]);
}

/**
 * boto3 for Python functions. `origin` is where the interpreter finds the host's, if it does.
 * Throws `HOST_LACKS` where a chosen directory has none.
 */
export async function pythonSdk(
  setting: SdkSettings['python'],
  python: string,
  origin: string | undefined,
): Promise<HostSdk | undefined> {
  if (setting === 'off') return undefined;
  if (setting === 'host') {
    const version = origin && versionIn(await readFile(origin, 'utf8'));
    if (!version) return undefined;
    const layer = async () => pythonLayer(await hostPackages(python));
    return { name: `boto3-${version}`, layer };
  }
  const init = join(setting, 'boto3/__init__.py');
  const version = existsSync(init) && versionIn(await readFile(init, 'utf8'));
  if (!version) throw lacks('sdk.python', setting, 'boto3', 'pip install --target');
  const layer = async () => {
    const root = await realpath(setting);
    return pythonLayer(
      moved(await tree(root, (path) => path === join(root, 'bin')), root, RUNTIME),
    );
  };
  return { name: `boto3-${version}-${await making(setting)}`, layer };
}

function lacks(name: string, directory: string, what: string, command: string): SluiceError {
  return new SluiceError(
    'HOST_LACKS',
    `${name}: ${directory} has no ${what}; fill it with “${command} ${directory} …”, ` +
      `or “sluice config unset ${name}”`,
  );
}

interface PackageFacts {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const factsOf = async (directory: string) =>
  JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as PackageFacts;

/** Where Node finds a package from a directory. */
function findPackage(from: string, name: string): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    const directory = join(at, 'node_modules', name);
    if (existsSync(join(directory, 'package.json'))) return directory;
    if (at === dirname(at)) return undefined;
  }
}

/** The packages of AWS's SDK that Sluice itself stands on, and what those stand on. */
async function ownPackages(): Promise<Map<string, PackageFacts>> {
  const own = join(import.meta.dirname, '../..');
  const names = Object.keys((await factsOf(own)).dependencies ?? {});
  const waiting = names.filter((name) => name.startsWith('@aws-sdk/client-'));
  const found = new Map<string, PackageFacts>();
  const visit = async (from: string, name: string): Promise<void> => {
    const directory = findPackage(from, name);
    if (directory === undefined || found.has(directory)) return;
    const facts = await factsOf(directory);
    found.set(directory, facts);
    for (const each of Object.keys(facts.dependencies ?? {})) await visit(directory, each);
  };
  for (const name of waiting) await visit(own, name);
  return found;
}

/** Types and maps, which no function loads. */
const unneeded = /\/(\.bin|\.cache|\.package-lock\.json|dist-types|[^/]*\.(d\.[cm]?ts|map|md))$/;

/** `@aws-sdk/*` for Node functions. Throws `HOST_LACKS` where a chosen directory has none. */
export async function nodeSdk(setting: SdkSettings['nodejs']): Promise<HostSdk | undefined> {
  if (setting === 'off') return undefined;
  const target = join(RUNTIME, 'node_modules');
  if (setting !== 'host') {
    const modules = join(setting, 'node_modules');
    const isThere = existsSync(join(modules, '@aws-sdk'));
    if (!isThere) throw lacks('sdk.nodejs', setting, '@aws-sdk', 'npm install --prefix');
    const layer = async () => {
      const root = await realpath(modules);
      return hostLayer(moved(await tree(root, (path) => unneeded.test(path)), root, target));
    };
    return { name: `aws-sdk-${await making(modules)}`, layer };
  }
  const packages = await ownPackages();
  const [first] = packages.keys();
  if (first === undefined) return undefined;
  const root = first.slice(0, first.lastIndexOf('/node_modules/') + '/node_modules'.length);
  const names = [...packages].map(([path, { version }]) => `${relative(root, path)}@${version}`);
  const digest = createHash('sha256').update(names.sort().join()).digest('hex');
  const layer = async () => {
    const files: HostFile[] = [];
    for (const path of packages.keys()) {
      // A package's own node_modules come by their own names.
      const isLeftOut = (each: string) => unneeded.test(each) || each.endsWith('/node_modules');
      files.push(
        ...moved(
          await tree(path, isLeftOut),
          await realpath(path),
          join(target, relative(root, path)),
        ),
      );
    }
    return hostLayer(files);
  };
  return { name: `aws-sdk-${digest.slice(0, 12)}`, layer };
}
