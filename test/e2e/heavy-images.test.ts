// Heavy: builds three Debian images once, of 0.2 to 0.5 GB compressed, and stores them
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  InvokeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { repositoryRoot } from '../repo/repository.ts';
import { HEAVY_IMAGE_NEEDS, type HeavyImage, heavyImage } from '../support/heavy-images.ts';
import { hostLacks } from '../support/host.ts';
import { createImageFunction } from '../support/image-function.ts';
import { addLayer } from '../support/node-image.ts';
import { type RunningRegion, startRegion } from '../support/region.ts';
import { scratchDirectory } from '../support/temporary.ts';

const lacks = hostLacks(...HEAVY_IMAGE_NEEDS, 'fuse', 'loop', 'cgroup');
const client = join(repositoryRoot, 'src/runtime/clients/python');

/** Runs a program, and answers the PDF's first bytes and its text as poppler reads it. */
const makesPdf = `
import os, pathlib, subprocess

def pdf(words, path, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if not os.path.exists(path):
        raise RuntimeError(f"status {done.returncode}: {done.stdout[-1500:]} {done.stderr[-1500:]}")
    text = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True).stdout
    head = pathlib.Path(path).read_bytes()[:5].decode()
    os.unlink(path)
    return {"head": head, "text": text.strip()}
`;

const handlers: Readonly<Record<HeavyImage, string>> = {
  chromium: `${makesPdf}
def handler(event, context):
    pathlib.Path("/tmp/page.html").write_text("<h1>" + event["text"] + "</h1>")
    return pdf(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--user-data-dir=/tmp/profile", "--no-pdf-header-footer", "--print-to-pdf=/tmp/page.pdf",
         "file:///tmp/page.html"],
        "/tmp/page.pdf", env={**os.environ, "HOME": "/tmp"})
`,
  libreoffice: `${makesPdf}
import zipfile

TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>
</Types>"""
RELATIONS = """<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>
</Relationships>"""
DOCUMENT = """<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
<w:body><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:body></w:document>"""

def handler(event, context):
    with zipfile.ZipFile("/tmp/in.docx", "w") as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr("word/document.xml", DOCUMENT.format(event["text"]))
    return pdf(
        ["soffice", "--headless", "--convert-to", "pdf", "--outdir", "/tmp", "/tmp/in.docx"],
        "/tmp/in.pdf", env={**os.environ, "HOME": "/tmp"})
`,
  science: `
import cv2, numpy, pandas, scipy.linalg

def handler(event, context):
    frame = pandas.DataFrame({"kind": ["a", "b", "a"], "value": [1, 2, 3]})
    image = numpy.zeros((64, 64), numpy.uint8)
    cv2.rectangle(image, (16, 16), (47, 47), 255, -1)
    outlines, _ = cv2.findContours(image, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return {
        "sums": frame.groupby("kind")["value"].sum().to_dict(),
        "area": cv2.contourArea(outlines[0]),
        "determinant": round(float(scipy.linalg.det(numpy.array([[1.0, 2.0], [3.0, 4.0]]))), 6),
    }
`,
};

const text = 'A page of Sluice';
const expected: Readonly<Record<HeavyImage, unknown>> = {
  chromium: { head: '%PDF-', text },
  libreoffice: { head: '%PDF-', text },
  science: { sums: { a: 4, b: 2 }, area: 961, determinant: -2 },
};

function clientFiles(): Record<string, Buffer> {
  const names = readdirSync(client, { recursive: true, encoding: 'utf8' });
  const files = names.filter(
    (name) => name.endsWith('.py') && statSync(join(client, name)).isFile(),
  );
  return Object.fromEntries(
    files.map((name) => [`var/runtime/${name}`, readFileSync(join(client, name))]),
  );
}

describe('images that people bring for their weight', { skip: lacks }, () => {
  const scratch = scratchDirectory('heavy-images');
  let region: RunningRegion;

  before(async () => {
    region = await startRegion(undefined, join(scratch.path, 'data'));
  });
  after(async () => {
    await region?.stop();
    scratch.remove();
  });

  const invoke = async (FunctionName: string) => {
    const Payload = JSON.stringify({ text });
    const answer = await region.client().send(new InvokeCommand({ FunctionName, Payload }));
    return JSON.parse(Buffer.from(answer.Payload ?? []).toString());
  };

  for (const name of Object.keys(handlers) as HeavyImage[]) {
    test(`${name} does its work with 512 and with 3008 MB`, async () => {
      const image = join(scratch.path, name);
      const files = { ...clientFiles(), 'var/task/app.py': handlers[name] };
      await addLayer(await heavyImage(name), image, files, {
        Entrypoint: ['/usr/bin/python3', '-u', '/var/runtime/bootstrap.py'],
        Cmd: ['app.handler'],
        WorkingDir: '/var/task',
      });
      const limits = { MemorySize: 512, Timeout: 600 };
      await createImageFunction(region.client(), name, `oci:${image}:latest`, limits);
      assert.deepEqual(await invoke(name), expected[name], 'with 512 MB, cold');
      assert.deepEqual(await invoke(name), expected[name], 'with 512 MB, warm');
      const change = { FunctionName: name, MemorySize: 3008 };
      await region.client().send(new UpdateFunctionConfigurationCommand(change));
      const waiter = { client: region.client(), maxWaitTime: 600, minDelay: 0.2, maxDelay: 1 };
      await waitUntilFunctionUpdatedV2(waiter, { FunctionName: name });
      assert.deepEqual(await invoke(name), expected[name], 'with 3008 MB');
    });
  }
});
