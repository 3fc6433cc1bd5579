// Makes fdatasync of a program take as long as on a disk across a network: half
// of the calls more than 1.1 ms, one in a hundred more than 6.4 ms. For
// BenchmarkRevoke, which waits by the same law.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static __thread unsigned int seed;

int fdatasync(int fd) {
	static int (*real)(int);
	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	if (!seed)
		seed = (unsigned int)getpid();
	double late = 1 - rand_r(&seed) / (RAND_MAX + 1.0);
	double ns = 800e3 * pow(late, -0.45);
	if (ns > 20e6)
		ns = 20e6;
	struct timespec t = {0, (long)ns};
	nanosleep(&t, NULL);
	return real(fd);
}
