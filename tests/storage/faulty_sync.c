// Stands between a server and the system: syncs wait or fail as a file says. For LD_PRELOAD.
//
// SYNC_FAULT names the file: "delay N" lets each sync take N milliseconds more, "fail" lets it fail
// with EIO and write nothing; anything else, or no file, changes nothing.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int sync_by(const char *name, int file) {
    char fault[32] = "";
    const char *path = getenv("SYNC_FAULT");
    FILE *said = path ? fopen(path, "r") : NULL;
    if (said) {
        if (!fgets(fault, sizeof fault, said)) fault[0] = 0;
        fclose(said);
    }
    if (!strncmp(fault, "fail", 4)) {
        errno = EIO;
        return -1;
    }
    if (!strncmp(fault, "delay ", 6)) usleep(1000 * (useconds_t)atoi(fault + 6));
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(file);
}

int fsync(int file) { return sync_by("fsync", file); }

int fdatasync(int file) { return sync_by("fdatasync", file); }
