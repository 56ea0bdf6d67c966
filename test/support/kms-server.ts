import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface KmsRequest {
  KeyId?: string;
  SourceKeyId?: string;
  DestinationKeyId?: string;
  CiphertextBlob?: string;
  EncryptionContext?: Record<string, string>;
  SourceEncryptionContext?: Record<string, string>;
  DestinationEncryptionContext?: Record<string, string>;
}

interface Answer {
  status: number;
  body: object;
}

/** A subset of AWS KMS in this process that checks key state and encryption context. */
export class KmsServer {
  /** Key ids and whether they are enabled. */
  readonly keys = new Map<string, boolean>();
  readonly calls: string[] = [];
  readonly #material = randomBytes(32);
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch((error) => response.destroy(error));
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const operation = String(request.headers['x-amz-target']).replace('TrentService.', '');
    this.calls.push(operation);
    const { status, body } = this.#answer(operation, JSON.parse(Buffer.concat(parts).toString()));
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(body));
  }

  #answer(operation: string, request: KmsRequest): Answer {
    const keyId = request.KeyId ?? request.SourceKeyId ?? '';
    for (const key of [keyId, request.DestinationKeyId ?? keyId]) {
      if (!this.keys.has(key)) return refuse('NotFoundException');
      if (!this.keys.get(key)) return refuse('DisabledException');
    }
    if (operation === 'GenerateDataKey') {
      const plaintext = randomBytes(32);
      const CiphertextBlob = this.#wrap(keyId, plaintext, request.EncryptionContext);
      const Plaintext = plaintext.toString('base64');
      return { status: 200, body: { KeyId: keyId, Plaintext, CiphertextBlob } };
    }
    const blob = Buffer.from(request.CiphertextBlob ?? '', 'base64');
    const context = request.EncryptionContext ?? request.SourceEncryptionContext;
    const plaintext = this.#unwrap(keyId, blob, context);
    if (!plaintext) return refuse('InvalidCiphertextException');
    const Plaintext = plaintext.toString('base64');
    if (operation === 'Decrypt') return { status: 200, body: { KeyId: keyId, Plaintext } };
    const to = request.DestinationKeyId ?? '';
    const CiphertextBlob = this.#wrap(to, plaintext, request.DestinationEncryptionContext);
    return { status: 200, body: { KeyId: to, CiphertextBlob } };
  }

  #wrap(keyId: string, plaintext: Buffer, context: unknown): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#material, nonce);
    cipher.setAAD(Buffer.from(JSON.stringify([keyId, context])));
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString('base64');
  }

  #unwrap(keyId: string, blob: Buffer, context: unknown): Buffer | undefined {
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#material, blob.subarray(0, 12));
      decipher.setAAD(Buffer.from(JSON.stringify([keyId, context])));
      decipher.setAuthTag(blob.subarray(12, 28));
      return Buffer.concat([decipher.update(blob.subarray(28)), decipher.final()]);
    } catch {
      return undefined;
    }
  }
}

function refuse(type: string): Answer {
  return { status: 400, body: { __type: type, message: 'refused' } };
}
