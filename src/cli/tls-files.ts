import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Command } from 'commander';
import { SluiceError } from '../base/mod.ts';

export interface TlsOptions {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly plainHttp: boolean;
}

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly certificateFile: string;
}

export function withTlsOptions(command: Command): Command {
  return command
    .option('--tls-cert <file>', 'serve HTTPS with this certificate (PEM, with its chain)')
    .option('--tls-key <file>', 'the private key of the certificate (PEM)')
    .option('--plain-http', 'allow --listen beyond this host without TLS', false);
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host === 'localhost';
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * What the TLS options name, or nothing for plain HTTP. Throws `USAGE` for half a pair, and for
 * plain HTTP beyond loopback that was not asked for; `CONFIG_INVALID` naming a file that is no good.
 */
export function readTlsFiles(options: TlsOptions, host: string): TlsFiles | undefined {
  const { tlsCert, tlsKey, plainHttp } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new SluiceError('USAGE', '--tls-cert and --tls-key: give both or neither');
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    if (plainHttp || isLoopback(host)) return undefined;
    const ways = 'give --tls-cert and --tls-key, or --plain-http if the network is trusted';
    throw new SluiceError('USAGE', `--listen ${host}: others could read what is sent; ${ways}`);
  }
  const files = { cert: read(tlsCert), key: read(tlsKey), certificateFile: resolve(tlsCert) };
  try {
    createSecureContext(files);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const pair = `${tlsCert}, ${tlsKey}`;
    throw new SluiceError('CONFIG_INVALID', `${pair}: no certificate with its key: ${why}`, {
      cause,
    });
  }
  return files;
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new SluiceError('CONFIG_INVALID', `${path}: cannot be read`, { cause });
  }
}
