import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { extname, join, relative } from 'node:path';
import { GetFunctionCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { GIB, limits, systemClock, withDeadline } from '../../src/base/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { createImageFunction } from './image-function.ts';
import { startRegion } from './region.ts';

const sluice = join(repositoryRoot, 'bin/sluice');
/** Longer than any start takes on a busy machine: a start that takes this hangs. */
const HANG_MS = 180_000;

/** What may befall a file. Root reads whatever its mode, so unreadable is a loop of links. */
export const damages: Readonly<Record<string, (path: string) => void>> = {
  empty: (path) => truncateSync(path),
  truncated: (path) => truncateSync(path, statSync(path).size >> 1),
  flipped: (path) => {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 0x10;
    writeFileSync(path, bytes);
  },
  deleted: (path) => rmSync(path),
  directory: (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  unreadable: (path) => {
    rmSync(path);
    symlinkSync(path, path);
  },
  fifo: (path) => {
    rmSync(path);
    execFileSync('mkfifo', [path]);
  },
  huge: (path) => truncateSync(path, 4 * GIB),
};

/** What belongs to a running region only, and holds nothing when it starts. */
const elsewhere = /^(run|spool)(\/|$)/;
/** Of these there are many of a kind: chunks, manifests, logs, what caches hold. */
const kinds = /^(origin\/roots\/[^/]+\/[^/]+|[^/]+\/[^/]+|[^/]+)(\/|$)/;

/** A file of each kind that there is, so that a new kind is not forgotten. */
export function startFiles(data: string): string[] {
  const first = new Map<string, string>();
  for (const file of filesBelow(data, data)) {
    const isState = /^(state|keys|origin\/owner)\//.test(file);
    const kind = isState ? file : `${kinds.exec(file)?.[1]}${extname(file)}`;
    if (!first.has(kind)) first.set(kind, file);
  }
  return [...first.values()];
}

function filesBelow(data: string, folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (elsewhere.test(relative(data, path))) return [];
    return entry.isDirectory() ? filesBelow(data, path) : [relative(data, path)];
  });
}

/** A data directory with a function, an account's key and an event, of a region that was stopped or killed. */
export async function makeDataDirectory(
  data: string,
  imageUri: string,
  end: 'stop' | 'kill',
): Promise<void> {
  const region = await startRegion(undefined, data);
  try {
    await createImageFunction(region.client(), 'f', imageUri);
    await region[end]();
  } finally {
    await region.kill();
  }
}

export type Verdict = 'serves' | 'refused';

/**
 * Starts a region on a data directory with one file damaged. It has to serve what there was, or to
 * end with one error that names the file; it may neither hang nor begin anew.
 */
export async function judgeStart(data: string, file: string): Promise<Verdict> {
  const words = ['up', '--json', '--data', data, '--listen', '127.0.0.1:0'];
  const child = spawn(sluice, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stderr.on('data', (part) => {
    err += part;
  });
  const ended = new Promise<Verdict>((resolve) => child.once('exit', () => resolve('refused')));
  const ready = new Promise<Verdict>((resolve) => {
    child.stdout.on('data', (part) => {
      out += part;
      if (out.includes('"ready"')) resolve('serves');
    });
  });
  try {
    const first = Promise.race([ended, ready]);
    const verdict = await withDeadline(systemClock, HANG_MS, `${file}: a start`, () => first);
    if (verdict === 'refused') assertNamed(err, file);
    else await assertKept(data);
    return verdict;
  } finally {
    child.kill('SIGTERM');
    await withDeadline(systemClock, limits.http.drainMs * 6, `${file}: an end`, () => ended).catch(
      () => child.kill('SIGKILL'),
    );
  }
}

function assertNamed(stderr: string, file: string): void {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  const { error } = JSON.parse(line) as { error: { code: string; message: string } };
  assert.notEqual(error.code, 'INTERNAL', `${file}: ${error.message}`);
  assert.ok(error.message.includes(file), `${file} is not named: ${error.message}`);
}

async function assertKept(data: string): Promise<void> {
  const { LambdaClient } = await import('@aws-sdk/client-lambda');
  const { parseCredentials } = await import('../../src/config/mod.ts');
  const address = JSON.parse(readFileSync(join(data, 'address.json'), 'utf8'));
  const path = join(data, 'credentials');
  const [credentials] = parseCredentials(readFileSync(path, 'utf8'), path);
  assert.ok(credentials);
  const { endpoint } = address as { endpoint: string };
  const client = new LambdaClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  const { Functions = [] } = await client.send(new ListFunctionsCommand({}));
  assert.deepEqual(
    Functions.map(({ FunctionName }) => FunctionName),
    ['f'],
    'nothing began anew',
  );
  await client.send(new GetFunctionCommand({ FunctionName: 'f' }));
}
