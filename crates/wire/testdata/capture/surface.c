/* Says what the C client can say to a server, once. Asks to be cut off by printing "drop". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context) {}

static void must(const char *what, int expected, int code) {
    if (code != expected) {
        fprintf(stderr, "%s: %s (%d)\n", what, zerror(code), code);
        exit(1);
    }
}

static int is_connected(zhandle_t *zh) { return zoo_state(zh) == ZOO_CONNECTED_STATE; }

static void await(zhandle_t *zh) {
    while (!is_connected(zh)) usleep(10000);
}

static volatile int done;
static void on_done(int code, const void *data) { done = 1; }
static void on_synced(int code, const char *value, const void *data) { done = 1; }

static void creates(zhandle_t *zh) {
    char path[100];
    struct Stat stat;
    must("create", ZOK, zoo_create(zh, "/c", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, 100));
    must("create2", ZOK, zoo_create2(zh, "/c/data", "data", 4, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, 100, &stat));
    must("ephemeral", ZOK, zoo_create(zh, "/c/mine-", "", 0, &ZOO_READ_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, path, 100));
    must("container", ZOK, zoo_create(zh, "/c/container", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_CONTAINER, path, 100));
    must("ttl", ZOK, zoo_create_ttl(zh, "/c/ttl", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 3600000, path, 100));
    must("ttl2", ZOK, zoo_create2_ttl(zh, "/c/ttl-", "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 3600000, path, 100, &stat));
}

static void reads_and_writes(zhandle_t *zh) {
    char data[1000];
    int length = sizeof data;
    struct Stat stat;
    struct String_vector names;
    struct ACL_vector acl;
    must("exists", ZOK, zoo_exists(zh, "/c/data", 0, &stat));
    must("get", ZOK, zoo_get(zh, "/c/data", 0, data, &length, &stat));
    must("children", ZOK, zoo_get_children(zh, "/c", 0, &names));
    must("children2", ZOK, zoo_get_children2(zh, "/c", 0, &names, &stat));
    must("get acl", ZOK, zoo_get_acl(zh, "/c/data", &acl, &stat));
    must("set acl", ZOK, zoo_set_acl(zh, "/c/data", 0, &ZOO_OPEN_ACL_UNSAFE));
    must("set", ZOK, zoo_set2(zh, "/c/data", "other", 5, 0, &stat));
    must("sync", ZOK, zoo_async(zh, "/c", on_synced, NULL));
    while (!done) usleep(1000);
    must("no node", ZNONODE, zoo_delete(zh, "/c/none", -1));
}

static void multis(zhandle_t *zh) {
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    char path[100];
    struct Stat stat;
    zoo_create_op_init(&ops[0], "/c/m", "m", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, path, 100);
    zoo_set_op_init(&ops[1], "/c/m", "n", 1, 0, &stat);
    zoo_check_op_init(&ops[2], "/c/m", 1);
    zoo_delete_op_init(&ops[3], "/c/m", 1);
    must("multi", ZOK, zoo_multi(zh, 4, ops, results));
    must("failing multi", ZNONODE, zoo_multi(zh, 3, ops + 1, results));
}

static void watches(zhandle_t *zh) {
    char data[1000];
    int length = sizeof data;
    struct Stat stat;
    struct String_vector names;
    must("watch", ZOK, zoo_wget(zh, "/c/data", watcher, NULL, data, &length, &stat));
    must("fire", ZOK, zoo_set(zh, "/c/data", "seen", 4, -1));
    must("watch", ZOK, zoo_wget(zh, "/c/data", watcher, NULL, data, &length, &stat));
    must("remove", ZOK, zoo_remove_watches(zh, "/c/data", ZWATCHTYPE_DATA, watcher, NULL, 0));
    length = sizeof data;
    must("watch", ZOK, zoo_wget(zh, "/c/data", watcher, NULL, data, &length, &stat));
    must("remove all", ZOK, zoo_remove_all_watches(zh, "/c/data", ZWATCHTYPE_ANY, 0));
    length = sizeof data;
    must("watch", ZOK, zoo_wget(zh, "/c/data", watcher, NULL, data, &length, &stat));
    must("watch", ZNONODE, zoo_wexists(zh, "/c/missing", watcher, NULL, &stat));
    must("watch", ZOK, zoo_wget_children(zh, "/c", watcher, NULL, &names));
}

static void reconnect(zhandle_t *zh) {
    puts("drop");
    fflush(stdout);
    while (is_connected(zh)) usleep(1000);
    await(zh);
    must("fire", ZOK, zoo_set(zh, "/c/data", "again", 5, -1));
}

static void access_control(zhandle_t *zh) {
    char path[100];
    done = 0;
    must("auth", ZOK, zoo_add_auth(zh, "digest", "user:password", 13, on_done, NULL));
    while (!done) usleep(1000);
    must("create", ZOK, zoo_create(zh, "/c/acl", "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, path, 100));
}

int main(int count, char **arguments) {
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = zookeeper_init(arguments[1], watcher, 10000, NULL, NULL, 0);
    await(zh);
    creates(zh);
    reads_and_writes(zh);
    multis(zh);
    watches(zh);
    reconnect(zh);
    access_control(zh);
    must("close", ZOK, zookeeper_close(zh));
    return 0;
}
