/*
 * Put between a process and the C library with LD_PRELOAD: records, in order, every call that changes
 * files below one directory or makes them durable, with its data; and makes one chosen call fail.
 *
 *   CRASH_ROOT    the directory, an absolute path
 *   CRASH_TRACE   the file that the records are appended to
 *   CRASH_FAULT   "CALL ERRNO MODE" or nothing: what happens at the call with this number. MODE is
 *                 "once", "always" (this call and all behind it), "short" (half of a write comes
 *                 through, the rest fails) or "read" (CALL counts reading calls instead)
 *
 * A record, numbers little-endian: op (4), error (4), file (8), offset (8), length (8), length of the
 * path (4), of the second path (4), of the data (8); then these. `file` is the inode, or 0.
 *
 * One lock is held through each call and its record, so that the order is that of the effects. What
 * is called by another name than these, or without the C library, is not seen; whoever reads the
 * records compares what they add up to with the directory itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum op { OPEN = 1, CREATE, WRITE, SYNC, SYNC_RANGE, TRUNCATE, ALLOCATE, RENAME, UNLINK, MKDIR, RMDIR, READ_CALL };
enum mode { NEVER, ONCE, ALWAYS, SHORT, READ };

struct record {
  uint32_t op, error;
  uint64_t file, offset, length;
  uint32_t path, other;
  uint64_t data;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_len;
static dev_t root_device;
static ino_t marks; /* the child's own notes, which never fail */
static int trace = -1;
static uint64_t changes, reads, fault_call;
static int fault_error;
static enum mode fault_mode = NEVER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *dir = getenv("CRASH_ROOT"), *to = getenv("CRASH_TRACE"), *fault = getenv("CRASH_FAULT");
  struct stat found;
  if (!dir || !to || stat(dir, &found)) return;
  root_device = found.st_dev;
  root_len = strlen(dir);
  memcpy(root, dir, root_len + 1);
  trace = syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  char mode[16];
  unsigned long long call;
  if (fault && sscanf(fault, "%llu %d %15s", &call, &fault_error, mode) == 3) {
    fault_call = call;
    fault_mode = !strcmp(mode, "once") ? ONCE : !strcmp(mode, "always") ? ALWAYS
               : !strcmp(mode, "short") ? SHORT : READ;
  }
}

static int below_root(const char *path) {
  return trace >= 0 && !strncmp(path, root, root_len) && (path[root_len] == '/' || !path[root_len]);
}

/* The inode if the descriptor is of the root's file system, else 0. */
static uint64_t inode(int fd) {
  struct stat found;
  if (trace < 0 || fstat(fd, &found) || found.st_dev != root_device) return 0;
  return S_ISREG(found.st_mode) || S_ISDIR(found.st_mode) ? found.st_ino : 0;
}

/* `path` as seen from the directory `dir`, absolute. */
static const char *resolve(int dir, const char *path, char *whole) {
  if (path[0] == '/' || dir == AT_FDCWD) return path;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
  ssize_t len = readlink(link, whole, PATH_MAX - 1);
  if (len < 0) return path;
  snprintf(whole + len, PATH_MAX - len, "/%s", path);
  return whole;
}

static void note(enum op op, int error, uint64_t file, uint64_t offset, uint64_t length,
                 const char *path, const char *other, const void *data, size_t data_len) {
  size_t path_len = path ? strlen(path) : 0, other_len = other ? strlen(other) : 0;
  struct record record = {htole32(op), htole32(error), htole64(file), htole64(offset), htole64(length),
                          htole32(path_len), htole32(other_len), htole64(data_len)};
  struct iovec parts[] = {{&record, sizeof record}, {(void *)path, path_len},
                          {(void *)other, other_len}, {(void *)data, data_len}};
  size_t whole = sizeof record + path_len + other_len + data_len;
  if (syscall(SYS_writev, trace, parts, 4) != (ssize_t)whole) abort();
}

/* The errno with which this call is to fail, or 0. */
static int fault_here(uint64_t file) {
  if (file && file == marks) return 0;
  changes++;
  int here = fault_mode == ALWAYS ? changes >= fault_call : changes == fault_call;
  return here && (fault_mode == ONCE || fault_mode == ALWAYS) ? fault_error : 0;
}

/* The same for a call that reads. */
static int read_fault(int fd) {
  uint64_t file = inode(fd);
  if (!file) return 0;
  pthread_mutex_lock(&lock);
  int injected = ++reads == fault_call && fault_mode == READ ? fault_error : 0;
  note(READ_CALL, injected, file, 0, 0, NULL, NULL, NULL, 0);
  pthread_mutex_unlock(&lock);
  return injected;
}

/* The call, unless it is to fail; its record; its result. `call` sets `errno` and is negative if it
   fails. */
#define RECORDED(op, file, offset, length, path, other, call)                     \
  pthread_mutex_lock(&lock);                                                      \
  int injected = fault_here(file);                                                \
  int result = -1;                                                                \
  if (injected) errno = injected; else result = call;                             \
  int error = result < 0 ? errno : 0;                                             \
  note(op, error, file, offset, length, path, other, NULL, 0);                    \
  pthread_mutex_unlock(&lock);                                                    \
  errno = error;                                                                  \
  return result

static int opened(int dir, const char *path, int flags, mode_t mode) {
  char whole[PATH_MAX];
  path = resolve(dir, path, whole);
  if (!below_root(path))
    return syscall(SYS_openat, dir, path, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat before;
  int makes = flags & O_CREAT && stat(path, &before);
  int is_marks = !strcmp(path + root_len, "/marks");
  int injected = (makes || flags & O_TRUNC) && !is_marks ? fault_here(0) : 0;
  int fd = -1;
  if (injected) errno = injected; else fd = syscall(SYS_openat, dir, path, flags, mode);
  int error = fd < 0 ? errno : 0;
  uint64_t file = fd < 0 ? 0 : inode(fd);
  if (is_marks) marks = file;
  if (!error || injected) note(makes ? CREATE : OPEN, error, file, 0, flags & O_TRUNC ? 1 : 0, path, NULL, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

#define MODE_OF(flags)                                \
  mode_t mode = 0;                                    \
  if ((flags) & (O_CREAT | O_TMPFILE)) {              \
    va_list rest;                                     \
    va_start(rest, flags);                            \
    mode = va_arg(rest, mode_t);                      \
    va_end(rest);                                     \
  }
int open(const char *path, int flags, ...) { MODE_OF(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE_OF(flags) return opened(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE_OF(flags) return opened(dir, path, flags, mode); }

static ssize_t written(int fd, const void *data, size_t len, off_t offset) {
  uint64_t file = inode(fd);
  if (!file) return syscall(SYS_pwrite64, fd, data, len, offset);
  pthread_mutex_lock(&lock);
  int injected = fault_here(file);
  if (fault_mode == SHORT && file != marks && changes == fault_call) len = (len + 1) / 2;
  if (fault_mode == SHORT && file != marks && changes == fault_call + 1) injected = fault_error;
  ssize_t result = -1;
  if (injected) errno = injected; else result = syscall(SYS_pwrite64, fd, data, len, offset);
  int error = result < 0 ? errno : 0;
  note(WRITE, error, file, offset, result < 0 ? len : (size_t)result, NULL, NULL,
       result < 0 ? NULL : data, result < 0 ? 0 : result);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset) { return written(fd, data, len, offset); }
ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset) { return written(fd, data, len, offset); }

ssize_t write(int fd, const void *data, size_t len) {
  if (!inode(fd)) return syscall(SYS_write, fd, data, len);
  off_t offset = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
  ssize_t result = written(fd, data, len, offset);
  if (result > 0) {
    int error = errno;
    lseek(fd, offset + result, SEEK_SET);
    errno = error;
  }
  return result;
}

/* A writer of many parts asks again for what is left. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!inode(fd)) return syscall(SYS_writev, fd, parts, count);
  for (int part = 0; part < count; part++)
    if (parts[part].iov_len) return write(fd, parts[part].iov_base, parts[part].iov_len);
  return 0;
}

/* Whoever copies falls back to reading and writing. */
ssize_t copy_file_range(int from, off_t *at, int to, off_t *where, size_t len, unsigned flags) {
  if (!inode(to)) return syscall(SYS_copy_file_range, from, at, to, where, len, flags);
  errno = ENOSYS;
  return -1;
}
ssize_t sendfile64(int to, int from, off_t *at, size_t len) {
  if (!inode(to)) return syscall(SYS_sendfile, to, from, at, len);
  errno = ENOSYS;
  return -1;
}
ssize_t sendfile(int to, int from, off_t *at, size_t len) { return sendfile64(to, from, at, len); }

int fsync(int fd) {
  uint64_t file = inode(fd);
  if (!file) return syscall(SYS_fsync, fd);
  RECORDED(SYNC, file, 0, 0, NULL, NULL, syscall(SYS_fsync, fd));
}
int fdatasync(int fd) {
  uint64_t file = inode(fd);
  if (!file) return syscall(SYS_fdatasync, fd);
  RECORDED(SYNC, file, 0, 0, NULL, NULL, syscall(SYS_fdatasync, fd));
}
int sync_file_range(int fd, off64_t offset, off64_t len, unsigned flags) {
  uint64_t file = inode(fd);
  if (!file) return syscall(SYS_sync_file_range, fd, offset, len, flags);
  RECORDED(SYNC_RANGE, file, offset, len, NULL, NULL, syscall(SYS_sync_file_range, fd, offset, len, flags));
}

int ftruncate(int fd, off_t len) {
  uint64_t file = inode(fd);
  if (!file) return syscall(SYS_ftruncate, fd, len);
  RECORDED(TRUNCATE, file, 0, len, NULL, NULL, syscall(SYS_ftruncate, fd, len));
}
int ftruncate64(int fd, off64_t len) { return ftruncate(fd, len); }
int fallocate(int fd, int how, off_t offset, off_t len) {
  uint64_t file = inode(fd);
  if (!file) return syscall(SYS_fallocate, fd, how, offset, len);
  if (how) { /* nobody here asks for holes; were it otherwise, the records would not say it */
    errno = EOPNOTSUPP;
    return -1;
  }
  RECORDED(ALLOCATE, file, offset, len, NULL, NULL, syscall(SYS_fallocate, fd, how, offset, len));
}
int fallocate64(int fd, int how, off64_t offset, off64_t len) { return fallocate(fd, how, offset, len); }

int rename(const char *from, const char *to) {
  if (!below_root(from)) return REAL(rename)(from, to);
  RECORDED(RENAME, 0, 0, 0, from, to, REAL(rename)(from, to));
}

static int removed(enum op op, int dir, const char *path, int flags) {
  char whole[PATH_MAX];
  const char *named = resolve(dir, path, whole);
  if (!below_root(named)) return syscall(SYS_unlinkat, dir, path, flags);
  RECORDED(op, 0, 0, 0, named, NULL, syscall(SYS_unlinkat, dir, path, flags));
}
int unlink(const char *path) { return removed(UNLINK, AT_FDCWD, path, 0); }
int rmdir(const char *path) { return removed(RMDIR, AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int dir, const char *path, int flags) {
  return removed(flags & AT_REMOVEDIR ? RMDIR : UNLINK, dir, path, flags);
}

int mkdir(const char *path, mode_t mode) {
  if (!below_root(path)) return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  RECORDED(MKDIR, 0, 0, 0, path, NULL, syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

ssize_t read(int fd, void *into, size_t len) {
  int injected = read_fault(fd);
  if (!injected) return syscall(SYS_read, fd, into, len);
  errno = injected;
  return -1;
}
ssize_t pread(int fd, void *into, size_t len, off_t offset) {
  int injected = read_fault(fd);
  if (!injected) return syscall(SYS_pread64, fd, into, len, offset);
  errno = injected;
  return -1;
}
ssize_t pread64(int fd, void *into, size_t len, off64_t offset) { return pread(fd, into, len, offset); }
