import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { SluiceError } from '../base/mod.ts';
import type { SdkSettings } from '../config/mod.ts';
import { type LayerToWrite, writeImageLayout } from '../oci/mod.ts';
import { findPrograms, type HostFile, topLevelLinks, tree, withLibraries } from './host-files.ts';
import { hostLayer } from './host-layer.ts';
import { type HostSdk, nodeSdk, pythonSdk } from './host-sdk.ts';

const execute = promisify(execFile);

/** What runs code of a runtime: Node, Python, or the function's own bootstrap. */
export type Language = 'node' | 'python' | 'provided';

/** The version of a language on this host; part of the base's name, so that an upgrade renews it. */
export interface HostLanguage {
  readonly language: Language;
  readonly version: string;
  /** AWS's SDK for it, if there is any; the last of its layers. */
  readonly sdk: HostSdk | undefined;
  readonly layers: () => Promise<LayerToWrite[]>;
}

const directories = ['/usr/bin', '/bin', '/usr/local/bin'];
/** What a bootstrap or a wrapper script may count on, beside a shell; what the host lacks is left out. */
const programs = (
  'sh bash env cat cp mv rm mkdir rmdir mktemp ln ls touch chmod date echo printf test true false ' +
  'sleep head tail cut tr sort uniq wc tee seq basename dirname readlink realpath id uname expr ' +
  'grep sed awk find xargs tar gzip gunzip base64 md5sum sha256sum od curl openssl jq'
).split(' ');

/** What Debian, Fedora and Alpine call their bundle of certificate authorities. */
const certificateBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
];

const texts = {
  '/etc/passwd': 'root:x:0:0:root:/root:/sbin/nologin\n',
  '/etc/group': 'root:x:0:\n',
  '/etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  '/etc/os-release': 'ID=sluice\nNAME="Sluice runtime"\nPRETTY_NAME="Sluice runtime"\n',
};

/** The layer that all bases begin with, so that they share its chunks. */
async function systemLayer(): Promise<LayerToWrite> {
  const found = await findPrograms(programs, directories);
  const bundle = certificateBundles.find(existsSync);
  const certificates = bundle
    ? [{ source: await realpath(bundle), target: '/etc/ssl/certs/ca-certificates.crt' }]
    : [];
  const zones = existsSync('/usr/share/zoneinfo')
    ? await tree('/usr/share/zoneinfo', (path) => /\/(right|posix|localtime)$/.test(path))
    : [];
  const files = [...(await withLibraries(found)), ...certificates, ...zones];
  return hostLayer([...(await topLevelLinks()), ...files], texts);
}

async function nodeLanguage(setting: SdkSettings['nodejs']): Promise<HostLanguage> {
  const sdk = await nodeSdk(setting);
  return {
    language: 'node',
    version: process.version,
    sdk,
    layers: async () => {
      const [program, ...libraries] = await withLibraries([process.execPath]);
      const atLang = { source: program?.source ?? process.execPath, target: '/var/lang/bin/node' };
      const node = hostLayer([atLang, ...libraries]);
      return [await systemLayer(), node, ...(sdk ? [await sdk.layer()] : [])];
    },
  };
}

/** Where an interpreter keeps itself; `-I` so that no environment of ours leads it astray. */
const askPython =
  'import importlib.util, json, sys, sysconfig; boto3 = importlib.util.find_spec("boto3"); ' +
  'print(json.dumps({"version": sys.version.split()[0], ' +
  '"program": getattr(sys, "_base_executable", sys.executable), ' +
  '"library": sysconfig.get_path("stdlib"), "platform": sysconfig.get_path("platstdlib"), ' +
  '"boto3": boto3 and boto3.origin}))';

interface PythonFacts {
  readonly version: string;
  readonly program: string;
  readonly library: string;
  readonly platform: string;
  /** The file of the package, where the interpreter finds it. */
  readonly boto3: string | null;
}

/** Python's own tests and tools; packages of the host are no part of the runtime. */
const leftOut =
  /\/(test|tests|idlelib|tkinter|turtledemo|lib2to3|ensurepip|site-packages|dist-packages|config-3[^/]*|[^/]*\.opt-[12]\.pyc)$/;

async function pythonFacts(program: string): Promise<PythonFacts | undefined> {
  try {
    const { stdout } = await execute(program, ['-I', '-c', askPython]);
    return JSON.parse(stdout) as PythonFacts;
  } catch {
    return undefined;
  }
}

/** The host's `python3.N` if it has that, else its `python3`. Throws `HOST_LACKS`. */
async function pythonLanguage(
  runtime: string,
  setting: SdkSettings['python'],
): Promise<HostLanguage> {
  const [found] = await findPrograms([runtime, 'python3'], directories);
  const facts = found && (await pythonFacts(found));
  if (!facts) {
    throw new SluiceError(
      'HOST_LACKS',
      `${runtime}: this host has no python3; install it, or name a base image with ` +
        `“sluice config set runtime.${runtime} IMAGE”`,
    );
  }
  const sdk = await pythonSdk(setting, facts.program, facts.boto3 ?? undefined);
  const layers = async () => {
    const roots = [...new Set([facts.library, facts.platform])];
    const library = (
      await Promise.all(roots.map((root) => tree(root, (path) => leftOut.test(path))))
    ).flat();
    const modules = library.filter(({ source }) => /\.so(\.|$)/.test(basename(source)));
    const linked = await withLibraries([facts.program, ...modules.map(({ source }) => source)]);
    const names = ['python3', 'python', basename(facts.program)];
    const links = [...new Set(names)].map(
      (name): HostFile => ({
        source: facts.program,
        target: join('/var/lang/bin', name),
        linkTarget: facts.program,
      }),
    );
    const python = hostLayer([...linked, ...library, ...links]);
    return [await systemLayer(), python, ...(sdk ? [await sdk.layer()] : [])];
  };
  return { language: 'python', version: facts.version, sdk, layers };
}

const noSdk: SdkSettings = { python: 'off', nodejs: 'off' };

/** What this host has for a runtime. Throws `HOST_LACKS`. */
export async function hostLanguage(
  runtime: string,
  sdk: SdkSettings = noSdk,
): Promise<HostLanguage> {
  if (runtime.startsWith('nodejs')) return nodeLanguage(sdk.nodejs);
  if (runtime.startsWith('python')) return pythonLanguage(runtime, sdk.python);
  const layers = async () => [await systemLayer()];
  return { language: 'provided', version: '1', sdk: undefined, layers };
}

/** Writes the base as an image into an empty directory. */
export async function writeHostBase(directory: string, language: HostLanguage): Promise<void> {
  await writeImageLayout(directory, {
    layers: await language.layers(),
    platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' },
  });
}
