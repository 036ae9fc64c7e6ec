/* Preloaded into a writer: kills it at the n-th call that changes a file.
 *
 * soak_arm(n, how): the n-th such call from now on is the last. how = 0: the process dies before it; 1: after it;
 * 2: in its middle, where it writes (half of the bytes are written), else before it. n = 0 only counts.
 * soak_calls(): how many there were since.
 * Before dying, the name of the call and the file it was about go to the file descriptor SOAK_FD.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls, last;
static atomic_int manner;

void soak_arm(long n, int how) {
    atomic_store(&calls, 0);
    atomic_store(&manner, how);
    atomic_store(&last, n);
}

long soak_calls(void) { return atomic_load(&calls); }

static void die(const char *call, const char *path) {
    const char *to = getenv("SOAK_FD");
    if (to) dprintf(atoi(to), "at %s %s\n", call, path);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int is_file(int fd) {
    struct stat facts;
    return fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

static const char *path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

/* Returns 1 where this call is the last one. */
static int counted(void) {
    long end = atomic_load(&last), here = atomic_fetch_add(&calls, 1) + 1;
    return end && here == end;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define ON_PATH(name, path, call) \
    REAL(name); \
    int chosen = counted(); \
    if (chosen && atomic_load(&manner) != 1) die(#name, path); \
    int result = call; \
    if (chosen) die("after " #name, path); \
    return result;

int rename(const char *a, const char *b) { ON_PATH(rename, b, real(a, b)) }
int renameat(int f, const char *a, int t, const char *b) { ON_PATH(renameat, b, real(f, a, t, b)) }
int renameat2(int f, const char *a, int t, const char *b, unsigned int o) { ON_PATH(renameat2, b, real(f, a, t, b, o)) }
int link(const char *a, const char *b) { ON_PATH(link, b, real(a, b)) }
int linkat(int f, const char *a, int t, const char *b, int o) { ON_PATH(linkat, b, real(f, a, t, b, o)) }
int unlink(const char *a) { ON_PATH(unlink, a, real(a)) }
int unlinkat(int f, const char *a, int o) { ON_PATH(unlinkat, a, real(f, a, o)) }
int mkdir(const char *a, mode_t mode) { ON_PATH(mkdir, a, real(a, mode)) }
int rmdir(const char *a) { ON_PATH(rmdir, a, real(a)) }

#define ON_FILE(name, fd, call) \
    REAL(name); \
    if (!is_file(fd)) return call; \
    char path[4096]; \
    int chosen = counted(); \
    if (chosen && atomic_load(&manner) != 1) die(#name, path_of(fd, path, sizeof path)); \
    int result = call; \
    if (chosen) die("after " #name, path_of(fd, path, sizeof path)); \
    return result;

int fsync(int fd) { ON_FILE(fsync, fd, real(fd)) }
int fdatasync(int fd) { ON_FILE(fdatasync, fd, real(fd)) }
int ftruncate(int fd, off_t size) { ON_FILE(ftruncate, fd, real(fd, size)) }
int ftruncate64(int fd, off64_t size) { ON_FILE(ftruncate64, fd, real(fd, size)) }

#define ON_WRITE(name, whole, half) \
    REAL(name); \
    if (!is_file(fd)) return whole; \
    char path[4096]; \
    int chosen = counted(); \
    if (chosen && atomic_load(&manner) == 2 && half >= 0) die("half of " #name, path_of(fd, path, sizeof path)); \
    if (chosen && atomic_load(&manner) != 1) die(#name, path_of(fd, path, sizeof path)); \
    ssize_t result = whole; \
    if (chosen) die("after " #name, path_of(fd, path, sizeof path)); \
    return result;

ssize_t write(int fd, const void *data, size_t size) {
    ON_WRITE(write, real(fd, data, size), real(fd, data, size / 2))
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    ON_WRITE(pwrite, real(fd, data, size, at), real(fd, data, size / 2, at))
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    ON_WRITE(pwrite64, real(fd, data, size, at), real(fd, data, size / 2, at))
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    ON_WRITE(writev, real(fd, parts, count), real(fd, parts, count / 2))
}

#define ON_OPEN(name, path, call) \
    REAL(name); \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    if (!(flags & (O_CREAT | O_TRUNC))) return call; \
    int chosen = counted(); \
    if (chosen && atomic_load(&manner) != 1) die(#name, path); \
    int result = call; \
    if (chosen) die("after " #name, path); \
    return result;

int open(const char *path, int flags, ...) { ON_OPEN(open, path, real(path, flags, mode)) }
int open64(const char *path, int flags, ...) { ON_OPEN(open64, path, real(path, flags, mode)) }
int openat(int at, const char *path, int flags, ...) { ON_OPEN(openat, path, real(at, path, flags, mode)) }
int openat64(int at, const char *path, int flags, ...) { ON_OPEN(openat64, path, real(at, path, flags, mode)) }
