import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { LambdaClient } from '@aws-sdk/client-lambda';
import type { Credential, CredentialStore } from '../../accounts/mod.ts';
import { SluiceError, systemClock, systemRandom } from '../../base/mod.ts';
import type { ProvisionedState, Provisioner } from '../../catalogue/mod.ts';
import type { EventQueue, QueueDirectory, QueuedEvent } from '../../delivery/mod.ts';
import type { InvokeCall, InvokeOutcome, Invoker } from '../../dispatch/mod.ts';
import type {
  CodeInstaller,
  CodeObjects,
  InstallRequest,
  ZipInstaller,
  ZipInstallRequest,
} from '../../install/mod.ts';
import {
  type FunctionStore,
  type FunctionVersion,
  type InstalledCode,
  MemoryCodeArchive,
  MemoryEventSourceMappings,
  MemoryFunctionStore,
  SqliteLayerStore,
} from '../../records/mod.ts';
import { principalOf } from '../authorization.ts';
import { Frontend, type FrontendOptions } from '../frontend.ts';
import type { TlsIdentity } from '../http/http-server.ts';

export const REGION = 'us-east-1';
export const ROLE = 'arn:aws:iam::000000000000:role/r';
/** A queue that is there from the beginning. */
export const QUEUE = `arn:aws:sqs:${REGION}:000000000000:orders`;
export const IMAGE = 'localhost:5000/hello:1';

export const owner: Credential = {
  accessKeyId: 'AKIAOWNER',
  secretAccessKey: 'owner/secret+key',
  accountId: '000000000000',
};
export const stranger: Credential = {
  accessKeyId: 'AKIASTRANGER',
  secretAccessKey: 'stranger-secret',
  accountId: '999999999999',
};

export class FixedCredentials implements CredentialStore {
  readonly all = new Map<string, Credential>();

  constructor(...credentials: Credential[]) {
    for (const each of credentials) this.all.set(each.accessKeyId, each);
  }

  find(accessKeyId: string): Credential | undefined {
    return this.all.get(accessKeyId);
  }

  keysOf(principalArn: string): Credential[] {
    return [...this.all.values()].filter((each) => principalOf(each) === principalArn);
  }
}

/**
 * Installs at once, unless a test holds it or the image's name says that it fails (`missing`) or
 * that it has nothing to run (`idle`) or a warning (`odd`).
 */
export class FakeInstaller implements CodeInstaller {
  readonly requests: InstallRequest[] = [];
  gate: Promise<void> = Promise.resolve();

  async install(request: InstallRequest, signal: AbortSignal): Promise<InstalledCode> {
    this.requests.push(request);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    await Promise.race([this.gate, aborted]);
    if (request.imageUri.includes('missing')) {
      throw new SluiceError('IMAGE_NOT_FOUND', `${request.imageUri}: no such image`);
    }
    const digest = Buffer.from(request.imageUri).toString('hex').padEnd(64, '0').slice(0, 64);
    return {
      manifestId: `manifest of ${request.imageUri}`,
      resolvedImageUri: `${request.imageUri.replace(/:[^:/]*$/, '')}@sha256:${digest}`,
      imageDigest: `sha256:${digest}`,
      codeSizeBytes: 123_456,
      codeSha256: digest,
      imageConfig: {
        entrypoint: request.imageUri.includes('idle') ? [] : ['/bin/handler'],
        command: [],
        environment: [],
        workingDirectory: '/',
        user: '',
      },
      ...(request.imageUri.includes('odd') && { warnings: ['config: odd'] }),
    };
  }
}

type Outcome = Omit<InvokeOutcome, 'durationMs'>;
/** An invoke as tests look at it: the event, and what it is for. */
type FakeRequest = InvokeCall['invocation'] & Omit<InvokeCall, 'invocation'>;
type Answer = (request: FakeRequest) => Outcome | Promise<Outcome>;

/** Echoes the event, unless a test says otherwise. */
export class FakeInvoker implements Invoker {
  readonly requests: FakeRequest[] = [];
  readonly drained: string[] = [];
  answer: Answer = (request) => ({
    status: 'ok',
    payload: request.payload,
    executedVersion: request.version.version,
  });

  async invoke({ invocation, ...rest }: InvokeCall): Promise<InvokeOutcome> {
    const request = { ...invocation, ...rest };
    this.requests.push(request);
    return { durationMs: 1, ...(await this.answer(request)) };
  }

  async drain(functionVersionArn: string): Promise<void> {
    this.drained.push(functionVersionArn);
  }
}

/** Takes any archive for code. */
export class FakeZipInstaller implements ZipInstaller {
  readonly requests: ZipInstallRequest[] = [];

  async installZip(request: ZipInstallRequest): Promise<InstalledCode> {
    this.requests.push(request);
    return {
      manifestId: `manifest of ${request.archive.length} bytes`,
      resolvedImageUri: '',
      imageDigest: '',
      codeSizeBytes: request.archive.length,
      codeSha256: createHash('sha256').update(request.archive).digest('base64'),
      imageConfig: {
        entrypoint: ['/var/runtime/bootstrap'],
        command: [],
        environment: [],
        workingDirectory: '/var/task',
        user: '',
      },
    };
  }
}

/** One bucket, `code`, and whatever a test puts there. */
export class FakeObjects implements CodeObjects {
  readonly objects = new Map<string, Buffer>();

  async read(bucket: string, key: string): Promise<Buffer> {
    const found = bucket === 'code' ? this.objects.get(key) : undefined;
    if (found) return found;
    const [code, reason] =
      bucket === 'code'
        ? ['NoSuchKey', 'The specified key does not exist.']
        : ['NoSuchBucket', 'The specified bucket does not exist'];
    throw new SluiceError('CODE_NOT_FOUND', `${bucket}/${key}`, { data: { code, reason } });
  }
}

/** Has at once whatever it is told to have. */
export class FakeProvisioner implements Provisioner {
  readonly counts = new Map<string, number>();

  async provision(version: FunctionVersion, count: number): Promise<void> {
    this.counts.set(version.arn, count);
  }

  async provisioned(version: FunctionVersion): Promise<ProvisionedState> {
    const count = this.counts.get(version.arn) ?? 0;
    return { allocated: count, available: count, status: 'READY' };
  }
}

/** Remembers what it was given. */
export class FakeQueue implements EventQueue {
  readonly events: QueuedEvent[] = [];
  failure: Error | undefined;

  async enqueue(event: QueuedEvent): Promise<void> {
    if (this.failure) throw this.failure;
    this.events.push(event);
  }
}

/** Queues that are there by their ARN; an account may read its own. */
export class FakeQueues implements QueueDirectory {
  readonly visibilityTimeoutSeconds = new Map([[QUEUE, 30]]);

  async describe({ eventSourceArn, accountId }: { eventSourceArn: string; accountId: string }) {
    if (eventSourceArn.split(':')[4] !== accountId) {
      throw new SluiceError('ACCESS_DENIED', `${eventSourceArn}: of another account`);
    }
    const visibilityTimeoutSeconds = this.visibilityTimeoutSeconds.get(eventSourceArn);
    if (visibilityTimeoutSeconds !== undefined) return { visibilityTimeoutSeconds };
    throw new SluiceError('QUEUE_NOT_FOUND', `${eventSourceArn}: no such queue`);
  }
}

export interface Harness {
  readonly frontend: Frontend;
  readonly endpoint: string;
  readonly port: number;
  readonly store: FunctionStore;
  readonly installer: FakeInstaller;
  readonly invoker: FakeInvoker;
  readonly provisioner: FakeProvisioner;
  readonly zipInstaller: FakeZipInstaller;
  readonly archive: MemoryCodeArchive;
  readonly objects: FakeObjects;
  readonly events: FakeQueue;
  readonly mappings: MemoryEventSourceMappings;
  readonly queues: FakeQueues;
  readonly credentials: FixedCredentials;
  client(credential?: Credential): LambdaClient;
}

/** A whole frontend on a free port, with stand-ins for what is behind its seams. */
export async function startFrontend(
  t: TestContext,
  given: { store?: FunctionStore; tls?: TlsIdentity; hasQueues?: boolean } & Pick<
    FrontendOptions,
    'mayMount' | 'unsupported' | 'topics'
  > = {},
): Promise<Harness> {
  const store = given.store ?? new MemoryFunctionStore();
  const installer = new FakeInstaller();
  const invoker = new FakeInvoker();
  const provisioner = new FakeProvisioner();
  const zipInstaller = new FakeZipInstaller();
  const zip = {
    installer: zipInstaller,
    architecture: 'x86_64' as const,
    archive: new MemoryCodeArchive(),
    objects: new FakeObjects(),
    layers: SqliteLayerStore.open(':memory:'),
  };
  const events = new FakeQueue();
  const mappings = new MemoryEventSourceMappings();
  const queues = new FakeQueues();
  const credentials = new FixedCredentials(owner, stranger);
  const frontend = new Frontend({
    ...{ region: REGION, credentials, installer, invoker, provisioner, events, zip },
    eventSources: { mappings, ...((given.hasQueues ?? true) && { queues }) },
    clock: systemClock,
    random: systemRandom,
    ...given,
    store,
  });
  const { port } = await frontend.start('127.0.0.1', 0);
  const endpoint = `http://127.0.0.1:${port}`;
  const clients: LambdaClient[] = [];
  t.after(async () => {
    for (const each of clients) each.destroy();
    await frontend.close(1000);
  });
  const client = (credential: Credential = owner) => {
    const made = new LambdaClient({
      endpoint,
      region: REGION,
      credentials: credential,
      maxAttempts: 1,
    });
    clients.push(made);
    return made;
  };
  return {
    frontend,
    endpoint,
    port,
    store,
    installer,
    invoker,
    provisioner,
    events,
    mappings,
    queues,
    zipInstaller,
    archive: zip.archive,
    objects: zip.objects,
    credentials,
    client,
  };
}

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a stock client as a process, with the owner's credentials in its environment. */
export function runCommand(
  program: string,
  args: readonly string[],
  endpoint: string,
  options: { input?: string } = {},
): Promise<CommandResult> {
  const child = spawn(program, args, {
    env: {
      PATH: '/usr/bin:/bin',
      HOME: '/nonexistent',
      AWS_ACCESS_KEY_ID: owner.accessKeyId,
      AWS_SECRET_ACCESS_KEY: owner.secretAccessKey,
      AWS_DEFAULT_REGION: REGION,
      AWS_ENDPOINT_URL: endpoint,
      AWS_PAGER: '',
      AWS_MAX_ATTEMPTS: '1',
    },
  });
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (piece) => {
      stdout += piece;
    });
    child.stderr.on('data', (piece) => {
      stderr += piece;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}
