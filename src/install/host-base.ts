import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { SluiceError } from '../base/mod.ts';
import { type LayerToWrite, writeImageLayout } from '../oci/mod.ts';
import { findPrograms, type HostFile, topLevelLinks, tree, withLibraries } from './host-files.ts';
import { hostLayer } from './host-layer.ts';

const execute = promisify(execFile);

/** What runs code of a runtime: Node, Python, or the function's own bootstrap. */
export type Language = 'node' | 'python' | 'provided';

/** The version of a language on this host; part of the base's name, so that an upgrade renews it. */
export interface HostLanguage {
  readonly language: Language;
  readonly version: string;
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

async function nodeLanguage(): Promise<HostLanguage> {
  return {
    language: 'node',
    version: process.version,
    layers: async () => {
      const [node, ...libraries] = await withLibraries([process.execPath]);
      const atLang = { source: node?.source ?? process.execPath, target: '/var/lang/bin/node' };
      return [await systemLayer(), hostLayer([atLang, ...libraries])];
    },
  };
}

/** Where an interpreter keeps itself; `-I` so that no environment of ours leads it astray. */
const askPython =
  'import json, sys, sysconfig; print(json.dumps({"version": sys.version.split()[0], ' +
  '"program": getattr(sys, "_base_executable", sys.executable), ' +
  '"library": sysconfig.get_path("stdlib"), "platform": sysconfig.get_path("platstdlib")}))';

interface PythonFacts {
  readonly version: string;
  readonly program: string;
  readonly library: string;
  readonly platform: string;
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
async function pythonLanguage(runtime: string): Promise<HostLanguage> {
  const [found] = await findPrograms([runtime, 'python3'], directories);
  const facts = found && (await pythonFacts(found));
  if (!facts) {
    throw new SluiceError(
      'HOST_LACKS',
      `${runtime}: this host has no python3; install it, or name a base image with ` +
        `“sluice config set runtime.${runtime} IMAGE”`,
    );
  }
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
    return [await systemLayer(), hostLayer([...linked, ...library, ...links])];
  };
  return { language: 'python', version: facts.version, layers };
}

/** What this host has for a runtime. Throws `HOST_LACKS`. */
export async function hostLanguage(runtime: string): Promise<HostLanguage> {
  if (runtime.startsWith('nodejs')) return nodeLanguage();
  if (runtime.startsWith('python')) return pythonLanguage(runtime);
  return { language: 'provided', version: '1', layers: async () => [await systemLayer()] };
}

/** Writes the base as an image into an empty directory. */
export async function writeHostBase(directory: string, language: HostLanguage): Promise<void> {
  await writeImageLayout(directory, {
    layers: await language.layers(),
    platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' },
  });
}
