import { SluiceError } from '../base/mod.ts';
import { type Digest, isDigest } from './digest.ts';

/** An image layout, unpacked in a directory or packed in a tar archive. */
export interface LayoutReference {
  readonly kind: 'oci' | 'oci-archive';
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** What `docker save` writes; the digest is one that is made for it (docker-archive-source.ts). */
export interface DockerArchiveReference {
  readonly kind: 'docker-archive';
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export interface RegistryReference {
  readonly kind: 'registry';
  /** As the user wrote it, or `docker.io`. */
  readonly registry: string;
  /** Where its API is, without a path; plain HTTP only for this host itself. */
  readonly endpoint: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export type ImageReference = LayoutReference | DockerArchiveReference | RegistryReference;

const DOCKER_HUB = 'docker.io';
const repositoryPattern =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const hostPattern =
  /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d{1,5})?$/;

function invalid(text: string, why: string): SluiceError {
  return new SluiceError(
    'IMAGE_REFERENCE_INVALID',
    `${text}: ${why}; write oci:DIR[:tag], oci-archive:FILE[:tag], docker-archive:FILE[:tag] ` +
      'or [registry/]name[:tag][@sha256:…]',
  );
}

/**
 * Reads an image reference in the forms that skopeo and docker use. A registry reference without
 * a tag and digest means `latest`. Throws `IMAGE_REFERENCE_INVALID`.
 */
export function parseImageReference(text: string): ImageReference {
  const colon = text.indexOf(':');
  const scheme = text.slice(0, Math.max(colon, 0));
  if (scheme === 'oci' || scheme === 'oci-archive' || scheme === 'docker-archive') {
    return parseLocal(text, scheme, text.slice(colon + 1));
  }
  return parseRegistry(text);
}

function parseLocal(
  text: string,
  kind: 'oci' | 'oci-archive' | 'docker-archive',
  rest: string,
): ImageReference {
  const { name, digest } = splitDigest(text, rest);
  const colon = name.indexOf(':');
  const path = colon < 0 ? name : name.slice(0, colon);
  const tag = colon < 0 ? undefined : name.slice(colon + 1);
  if (path === '' || path.includes('\0')) throw invalid(text, 'no path is given');
  if (tag === '') throw invalid(text, 'the tag is empty');
  return { kind, path, ...(tag !== undefined && { tag }), ...(digest && { digest }) };
}

function splitDigest(text: string, rest: string): { name: string; digest?: Digest } {
  const at = rest.lastIndexOf('@');
  if (at < 0) return { name: rest };
  const digest = rest.slice(at + 1);
  if (isDigest(digest)) return { name: rest.slice(0, at), digest };
  if (/^sha\d/.test(digest)) throw invalid(text, `"${digest}" is no digest`);
  return { name: rest };
}

function parseRegistry(text: string): RegistryReference {
  const { name: named, digest } = splitDigest(text, text);
  const slash = named.indexOf('/');
  const first = named.slice(0, Math.max(slash, 0));
  const hasHost = slash > 0 && (/[.:]/.test(first) || first === 'localhost');
  const registry = hasHost ? first : DOCKER_HUB;
  let repository = hasHost ? named.slice(slash + 1) : named;
  if (!hostPattern.test(registry)) throw invalid(text, `"${registry}" is no registry host`);

  const colon = repository.indexOf(':');
  let tag: string | undefined;
  if (colon >= 0) {
    tag = repository.slice(colon + 1);
    repository = repository.slice(0, colon);
    if (!tagPattern.test(tag)) throw invalid(text, `"${tag}" is no tag`);
  } else if (!digest) {
    tag = 'latest';
  }
  if (registry === DOCKER_HUB && !repository.includes('/')) repository = `library/${repository}`;
  if (!repositoryPattern.test(repository) || repository.length > 255) {
    throw invalid(text, `"${repository}" is no repository name`);
  }
  return {
    kind: 'registry',
    registry,
    endpoint: endpointOf(registry),
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest && { digest }),
  };
}

/** Whether `host` (a port may follow) names this very machine. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(name);
}

function endpointOf(registry: string): string {
  if (registry === DOCKER_HUB || registry === 'index.docker.io') {
    return 'https://registry-1.docker.io';
  }
  return `${isLoopbackHost(registry) ? 'http' : 'https'}://${registry}`;
}

/** The reference without its tag and digest: what `@sha256:…` is appended to. */
export function referenceBase(reference: ImageReference): string {
  if (reference.kind === 'registry') return `${reference.registry}/${reference.repository}`;
  return `${reference.kind}:${reference.path}`;
}
