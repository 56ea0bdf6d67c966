import type { DiskString } from './entry.ts';

/** Said of a path that several packages name. */
const SEVERAL = '';

const dpkgFile = /^var\/lib\/dpkg\/info\/([^/]+)\.[^./]+$/;
const dpkgList = /^var\/lib\/dpkg\/info\/([^/]+)\.list$/;
const apkDatabase = 'lib/apk/db/installed';
const compiledPython = /^(.*)__pycache__\/([^/]+?)\.[a-z]+-\d+(?:\.opt-\d)?\.pyc$/;

/**
 * Knows which files of a layer belong to one package, from the package manager's own lists in that
 * layer (Debian's and Alpine's). A package's files change together and come to other images
 * together, so their small ones are best packed together.
 */
export class PackageIndex {
  readonly #owners = new Map<DiskString, string>();
  readonly #packages = new Set<string>();

  /** Whether the content at `path` is such a list. */
  static isList(path: DiskString): boolean {
    return path === apkDatabase || dpkgList.test(path);
  }

  addList(path: DiskString, content: DiskString): void {
    if (path === apkDatabase) this.#addApkDatabase(content);
    const owner = dpkgList.exec(path)?.[1];
    if (owner === undefined) return;
    for (const line of content.split('\n')) this.#addPath(line.slice(1), owner);
  }

  get isEmpty(): boolean {
    return this.#packages.size === 0;
  }

  /** Whether one package's list has just this path: all else was made by an installation. */
  lists(path: DiskString): boolean {
    const owner = this.#ownerAt(path);
    return owner !== undefined && owner !== SEVERAL;
  }

  /** The package that a file belongs to: by itself, as compiled code, or by its directory. */
  ownerOf(path: DiskString): string | undefined {
    if (this.#packages.size === 0) return undefined;
    const control = dpkgFile.exec(path)?.[1];
    if (control !== undefined) return this.#packages.has(control) ? control : undefined;
    const compiled = compiledPython.exec(path);
    const source = compiled ? this.#ownerAt(`${compiled[1]}${compiled[2]}.py`) : undefined;
    if (source) return source;
    for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      const owner = this.#ownerAt(at);
      if (owner) return owner;
    }
    return undefined;
  }

  /** Debian's lists may still name `/lib` what since the merge lies in `/usr/lib`. */
  #ownerAt(path: DiskString): string | undefined {
    const owner = this.#owners.get(path);
    if (owner !== undefined || !path.startsWith('usr/')) return owner;
    return this.#owners.get(path.slice('usr/'.length));
  }

  #addPath(path: DiskString, owner: string): void {
    if (path === '' || path === '.') return;
    this.#packages.add(owner);
    const known = this.#owners.get(path);
    this.#owners.set(path, known === undefined || known === owner ? owner : SEVERAL);
  }

  /** Lines `P:package`, `F:directory` and `R:file in it`. */
  #addApkDatabase(content: DiskString): void {
    let [owner, directory] = ['', ''];
    for (const line of content.split('\n')) {
      const value = line.slice(2);
      if (line.startsWith('P:')) owner = value;
      else if (line.startsWith('F:')) directory = value;
      else if (line.startsWith('R:')) {
        this.#addPath(directory === '' ? value : `${directory}/${value}`, owner);
      }
      if (line.startsWith('F:')) this.#addPath(directory, owner);
    }
  }
}
