import type { IncomingMessage, ServerResponse } from 'node:http';
import { isSluiceError } from '../base/mod.ts';
import type { Services } from './services.ts';

/** Hands out archives at the addresses that `GetFunction` and `GetLayerVersion` give. */
export class DownloadHandler {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const bytes = request.method === 'GET' ? await this.#read(request.url ?? '') : undefined;
    if (!bytes) {
      response.writeHead(403, { 'Content-Length': 0 }).end();
      return;
    }
    const headers = { 'Content-Type': 'application/zip', 'Content-Length': bytes.length };
    response.writeHead(200, headers).end(bytes);
  }

  async #read(path: string): Promise<Buffer | undefined> {
    const { downloads, zip, clock } = this.#services;
    const target = downloads.read(path, clock.nowMs());
    if (!target || !zip) return undefined;
    try {
      return await zip.archive.get(target.accountId, target.sha256);
    } catch (error) {
      if (isSluiceError(error, 'CODE_NOT_FOUND')) return undefined;
      throw error;
    }
  }
}
