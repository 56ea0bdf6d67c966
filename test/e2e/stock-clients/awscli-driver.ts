import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AWS } from '../../support/aws.ts';
import type { RunningRegion } from '../../support/region.ts';
import { run } from '../../support/run.ts';
import type { ClientCase, ClientResult } from './cases.ts';

const kebab = (name: string) =>
  name
    .replace(/V2$/, '-v2')
    .replace(/(?<!^)[A-Z]/g, '-$&')
    .toLowerCase();

/** This client takes archives from files, and by an option of their own. */
function zipWords(input: ClientCase['input'], scratch: string): string[] {
  const holder = (input['Code'] ?? input['Content'] ?? input) as { readonly ZipFile?: string };
  if (holder.ZipFile === undefined) return [];
  const path = join(scratch, 'code.zip');
  writeFileSync(path, Buffer.from(holder.ZipFile, 'base64'));
  return ['--zip-file', `fileb://${path}`];
}

function wordsOf({ operation, input }: ClientCase, scratch: string): string[] {
  const waits = operation.startsWith('wait:');
  const words = waits ? ['wait', kebab(operation.slice(5))] : [kebab(operation)];
  const archive = zipWords(input, scratch);
  const inArchive = archive.length > 0 ? ['Code', 'Content', 'ZipFile'] : [];
  for (const [name, value] of Object.entries(input)) {
    if (inArchive.includes(name)) continue;
    if (typeof value === 'boolean') words.push(`--${value ? '' : 'no-'}${kebab(name)}`);
    else words.push(`--${kebab(name)}`, typeof value === 'string' ? value : JSON.stringify(value));
  }
  const raw = operation === 'Invoke' ? ['--cli-binary-format', 'raw-in-base64-out'] : [];
  return [...words, ...archive, ...raw];
}

/** The cases one after another with Debian's aws command, a second each. */
export async function runWithAwsCli(
  region: RunningRegion,
  cases: readonly ClientCase[],
  scratch: string,
): Promise<ClientResult[]> {
  const payload = join(scratch, 'payload');
  const results: ClientResult[] = [];
  for (const each of cases) {
    const words = ['--endpoint-url', region.endpoint, '--output', 'json', 'lambda'];
    words.push(...wordsOf(each, scratch), ...(each.operation === 'Invoke' ? [payload] : []));
    const { status, stdout, stderr } = await run(AWS, words, { env: region.awsEnvironment() });
    const refused = /An error occurred \((\w+)\)/.exec(stderr)?.[1];
    assert.ok(status === 0 || refused, `${words.join(' ')}: ${stderr}`);
    const answer = stdout.trim() === '' ? {} : JSON.parse(stdout);
    const body = each.operation === 'Invoke' ? { Payload: readFileSync(payload, 'utf8') } : {};
    results.push(refused ?? { ...answer, ...body });
  }
  return results;
}
