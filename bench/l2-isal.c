/* Encodes one chunk with ISA-L under coefficients that the caller gives, and times it.
 * usage: isal-encode K M STRIPE_BYTES ROUNDS COEFFICIENT... < chunk > parity
 * On stderr: gigabytes of chunk data a second, the best of five runs of ROUNDS. */
#include <isa-l/erasure_code.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 64, RUNS = 5 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  int k = atoi(argv[1]), m = atoi(argv[2]), size = atoi(argv[3]), rounds = atoi(argv[4]);
  if (k < 1 || m < 1 || k > MOST || m > MOST || argc != 5 + k * m) return 2;
  unsigned char *rows = malloc(k * m), *tables = malloc(32 * k * m), *stripes[2 * MOST];
  for (int i = 0; i < k * m; i++) rows[i] = atoi(argv[5 + i]);
  for (int i = 0; i < k + m; i++)
    if (posix_memalign((void **)&stripes[i], 64, size)) return 1;
  for (int i = 0; i < k; i++)
    if (fread(stripes[i], 1, size, stdin) != (size_t)size) return 1;
  ec_init_tables(k, m, rows, tables);
  double best = 0;
  for (int run = 0; run < RUNS; run++) {
    double start = seconds();
    for (int i = 0; i < rounds; i++) ec_encode_data(size, k, m, tables, stripes, stripes + k);
    double rate = (double)rounds * size * k / (seconds() - start) / 1e9;
    if (rate > best) best = rate;
  }
  for (int i = 0; i < m; i++) fwrite(stripes[k + i], 1, size, stdout);
  fprintf(stderr, "%.3f\n", best);
  return 0;
}
