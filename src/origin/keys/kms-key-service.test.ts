import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { KmsServer } from '../../../test/support/kms-server.ts';
import { hostHasMoto, type Moto, startMoto } from '../../../test/support/moto.ts';
import { systemClock } from '../../base/mod.ts';
import { keyServiceConformance } from './key-service.conformance.ts';
import { kmsClient } from './kms-client.ts';
import { KmsKeyService } from './kms-key-service.ts';

const accounts = ['000000000000', '000000000001'] as const;
const credentials = async () => ({ accessKeyId: 'AKIATEST', secretAccessKey: 'secret' });
const region = 'us-east-1';

keyServiceConformance('KMS', async (t) => {
  const server = new KmsServer();
  const endpoint = await server.listen();
  t.after(() => server.close());
  const present = new Map(accounts.map((account) => [account as string, `key-${account}-a`]));
  for (const keyId of present.values()) server.keys.set(keyId, true);
  const client = kmsClient({ region, endpoint, credentials }, systemClock);
  return {
    service: new KmsKeyService(client, (account) => present.get(account) ?? 'none'),
    accounts,
    rotate: async (account) => {
      present.set(account, `key-${account}-b`);
      server.keys.set(`key-${account}-b`, true);
    },
    disable: async (keyId) => {
      server.keys.set(keyId, false);
    },
  };
});

let moto: Promise<Moto> | undefined;
after(async () => (await moto)?.stop());

keyServiceConformance('KMS against moto', async (t) => {
  if (!moto && !hostHasMoto(t)) return undefined;
  moto ??= startMoto();
  const { endpoint } = await moto;
  const administer = async (operation: string, body: object) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `TrentService.${operation}`,
        authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/kms/aws4_request',
      },
      body: JSON.stringify(body),
    });
    assert.ok(response.ok, await response.clone().text());
    return (await response.json().catch(() => ({}))) as { KeyMetadata?: { Arn: string } };
  };
  const create = async () => (await administer('CreateKey', {})).KeyMetadata?.Arn ?? '';
  const present = new Map<string, string>();
  for (const account of accounts) present.set(account, await create());
  const client = kmsClient({ region, endpoint, credentials }, systemClock);
  return {
    service: new KmsKeyService(client, (account) => present.get(account) ?? 'none'),
    accounts,
    rotate: async (account) => {
      present.set(account, await create());
    },
  };
});

test('KMS: a service that does not answer is unavailable, not a refusal', async () => {
  const server = new KmsServer();
  const endpoint = await server.listen();
  await server.close();
  const service = new KmsKeyService(
    kmsClient({ region, endpoint, credentials }, systemClock),
    () => 'key',
  );
  const context = { accountId: accounts[0], manifestId: 'm' };
  await assert.rejects(service.generateDataKey(context), { code: 'KEY_SERVICE_UNAVAILABLE' });
});
