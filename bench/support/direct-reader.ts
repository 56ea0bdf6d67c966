/**
 * Reads a file past the kernel's page cache from a process of its own and prints what it took as
 * JSON: `direct-reader.ts PATH random|sequential REQUEST_BYTES REQUESTS`.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { quantileOf } from './statistics.ts';

export interface DirectReading {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly bytesPerSecond: number;
}

function read(path: string, random: boolean, requestBytes: number, requests: number) {
  const file = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
  const places = Math.floor(fstatSync(file).size / requestBytes);
  const buffer = Buffer.alloc(requestBytes);
  const latencies: number[] = [];
  const startedMs = performance.now();
  for (let index = 0; index < requests; index++) {
    const place = random ? Math.floor(Math.random() * places) : index % places;
    const beforeMs = performance.now();
    readSync(file, buffer, 0, requestBytes, place * requestBytes);
    latencies.push((performance.now() - beforeMs) * 1000);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  closeSync(file);
  const reading: DirectReading = {
    p50Us: quantileOf(latencies, 0.5),
    p99Us: quantileOf(latencies, 0.99),
    bytesPerSecond: (requests * requestBytes) / seconds,
  };
  return reading;
}

const [path = '', order, requestBytes, requests] = process.argv.slice(2);
const reading = read(path, order === 'random', Number(requestBytes), Number(requests));
process.stdout.write(JSON.stringify(reading));
