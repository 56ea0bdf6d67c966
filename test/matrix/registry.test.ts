import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Clock, isSluiceError, systemClock } from '../../src/base/mod.ts';
import { type OciImage, openImage } from '../../src/oci/mod.ts';
import { namesIn } from '../support/oci-image.ts';
import { run, runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { asRoot, digestOf, GZIP_LAYER, manifestOf } from './documents.ts';
import { RawLayout } from './raw-layout.ts';
import { file, layer } from './raw-tar.ts';
import type { RegistryCase, RegistryTools } from './registry-case.ts';
import { accessCases } from './registry-cases/access.ts';
import { redirectCases } from './registry-cases/redirects.ts';
import { transferCases } from './registry-cases/transfers.ts';
import { bytesOf, listen, registryOf } from './test-registry.ts';
import { isRewrite, readVerdicts, writeVerdicts } from './verdicts.ts';

const cases: readonly RegistryCase[] = [...accessCases, ...redirectCases, ...transferCases];
const VERDICTS = new URL('./registry.verdicts', import.meta.url);
/** The judge waits in earnest for what it is asked to wait for. */
const JUDGE_SECONDS = 20;

type Verdict = 'takes' | 'refuses';

/** Starts the registry of a case; answers the reference of its image. */
async function start(t: TestContext, each: RegistryCase) {
  const layout = new RawLayout(temporaryDirectory(t, 'registry'));
  // Large enough to be cut in two.
  const tar = layer(file('f', Buffer.alloc(300_000, 'content')));
  const stored = layout.put(GZIP_LAYER, gzipSync(tar, { level: 0 }));
  const root = asRoot(
    manifestOf(layout, {
      config: (usual) => ({ ...usual, rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } }),
      manifest: (usual) => ({ ...usual, layers: [stored] }),
    }),
  );
  const bytes = bytesOf(root.content);
  layout.put(`${root.contentType}`, bytes);
  const seen: { path: string; authorization: string | undefined; port: string }[] = [];
  const serve = (handler: RequestListener) =>
    listen(t, (request, response) => {
      const { authorization, host = '' } = request.headers;
      seen.push({ path: request.url ?? '', authorization, port: host.split(':').at(-1) ?? '' });
      handler(request, response);
    });
  const plain = registryOf(layout, root);
  const tools: RegistryTools = {
    ...{ plain, serve, seen, manifest: digestOf(bytes), layer: stored.digest },
  };
  const address = await serve(await each.start(tools));
  return { tools, address, image: `${address}${each.image?.(tools) ?? '/app:latest'}` };
}

async function askSkopeo(t: TestContext, each: RegistryCase): Promise<Verdict> {
  const { address, image } = await start(t, each);
  const directory = temporaryDirectory(t, 'copied');
  const authFile = join(directory, 'auth.json');
  writeFileSync(authFile, JSON.stringify({ auths: authsOf(address, each) }));
  const words = ['copy', '-q', '--retry-times=0', '--src-tls-verify=false', '--authfile', authFile];
  const copy = [...words, `docker://${image}`, `dir:${join(directory, 'image')}`];
  const { status } = await run('timeout', [`${JUDGE_SECONDS}`, 'skopeo', ...copy]);
  return status === 0 ? 'takes' : 'refuses';
}

function authsOf(address: string, { credentials }: RegistryCase): object {
  if (credentials === undefined) return {};
  if ('identityToken' in credentials) {
    const auth = Buffer.from('token:').toString('base64');
    return { [address]: { auth, identitytoken: credentials.identityToken } };
  }
  const { username, password } = credentials;
  return { [address]: { auth: Buffer.from(`${username}:${password}`).toString('base64') } };
}

/** Time that passes only where somebody sleeps, and then at once. */
function hastyClock(sleepsMs: number[]): Clock {
  return {
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs(),
    setTimer: (delayMs, callback) => systemClock.setTimer(delayMs, callback),
    soon: (callback) => systemClock.soon(callback),
    sleep: async (delayMs) => void sleepsMs.push(delayMs),
  };
}

if (isRewrite) {
  test('the verdicts of skopeo are written anew', async (t) => {
    const judge = (await runOrThrow('skopeo', ['--version'])).trim();
    const verdicts: Record<string, Verdict> = {};
    for (const each of cases) verdicts[each.name] = await askSkopeo(t, each);
    writeVerdicts(VERDICTS, { judge, cases: verdicts });
  });
}

test('every registry of the table is read or refused as skopeo does, or a reason says why not', async (t) => {
  const { cases: verdicts } = readVerdicts<Verdict>(VERDICTS);
  assert.ok(cases.length >= 40, `${cases.length} cases`);
  assert.deepEqual(Object.keys(verdicts).sort(), cases.map((each) => each.name).sort());
  for (const each of cases) {
    await t.test(each.name, async (inner) => {
      const { tools, image } = await start(inner, each);
      const sleepsMs: number[] = [];
      const refused = await read(image, each, hastyClock(sleepsMs));
      assert.equal(refused, each.refuses);
      const isSame = verdicts[each.name] === (refused === undefined ? 'takes' : 'refuses');
      if (each.why === undefined) assert.ok(isSame, `the judge ${verdicts[each.name]}`);
      else assert.ok(!isSame, 'the judge says the same: the reason is of no use');
      each.check?.(tools, sleepsMs);
    });
  }
});

/** The code of what refuses it; undefined when all is read. */
async function read(
  reference: string,
  { credentials }: RegistryCase,
  clock: Clock,
): Promise<string | undefined> {
  let image: OciImage | undefined;
  try {
    image = await openImage(reference, {
      ...{ clock, platform: { os: 'linux', architecture: 'amd64' } },
      ...(credentials && { credentials }),
    });
    assert.deepEqual(await namesIn(image), ['./', 'f']);
    return undefined;
  } catch (error) {
    if (!isSluiceError(error)) throw error;
    return error.code;
  } finally {
    await image?.close();
  }
}
