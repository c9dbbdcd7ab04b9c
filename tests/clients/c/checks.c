/*
 * The surface of the C client, against a server at the host:port given.
 *
 * Prints one line per check, `ok NAME` or `FAILED NAME why`; ends with 1 if any failed. A check that needs
 * the server killed and started again prints RESTART-SERVER and waits for a line.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#define SESSION_MILLIS 10000
#define PATIENCE_MILLIS 15000
#define PATH 256

static const char *program;
static const char *hosts;
static zhandle_t *zk;
static int failures;
static char why[1024];

/* Ends the check it stands in, with a reason. */
#define EXPECT(condition, ...)                                   \
    do {                                                         \
        if (!(condition)) return fail(__LINE__, __VA_ARGS__);    \
    } while (0)
#define EXPECT_CODE(due, call)                                   \
    do {                                                         \
        int code_ = (call);                                      \
        EXPECT(code_ == (due), #call ": %s", zerror(code_));     \
    } while (0)

static bool fail(int line, const char *format, ...) {
    int used = snprintf(why, sizeof why, "line %d: ", line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why + used, sizeof why - used, format, arguments);
    va_end(arguments);
    return false;
}

static void check(const char *name, bool (*body)(const char *root)) {
    static int number;
    char root[PATH];
    snprintf(root, sizeof root, "/c-%d", ++number);
    bool passed = zoo_create(zk, root, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, NULL, 0) == ZOK && body(root);
    if (passed) {
        printf("ok %s\n", name);
    } else {
        failures++;
        printf("FAILED %s %s\n", name, why);
    }
    fflush(stdout);
}

static const char *under(const char *root, const char *name) {
    static char paths[16][PATH];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, PATH, "%s/%s", root, name);
    return path;
}

static int create(zhandle_t *handle, const char *path, int mode, char *name) {
    return zoo_create(handle, path, "x", 1, &ZOO_OPEN_ACL_UNSAFE, mode, name, name ? PATH : 0);
}

/* Waits until the node is gone. */
static bool goes(const char *path) {
    for (int waited = 0; waited < PATIENCE_MILLIS; waited += 20) {
        if (zoo_exists(zk, path, 0, NULL) == ZNONODE) return true;
        usleep(20 * 1000);
    }
    return false;
}

/* Field by field, for the struct has holes. */
static bool same(const struct Stat *a, const struct Stat *b) {
    return a->czxid == b->czxid && a->mzxid == b->mzxid && a->pzxid == b->pzxid && a->ctime == b->ctime && a->mtime == b->mtime &&
           a->version == b->version && a->cversion == b->cversion && a->aversion == b->aversion &&
           a->ephemeralOwner == b->ephemeralOwner && a->dataLength == b->dataLength && a->numChildren == b->numChildren;
}

/* Events a watcher was told, in order. */
struct recorder {
    pthread_mutex_t lock;
    int count;
    int types[64];
    char paths[64][PATH];
    int taken;
};

static void record(zhandle_t *handle, int type, int state, const char *path, void *context) {
    (void)handle, (void)state;
    struct recorder *recorder = context;
    if (type == ZOO_SESSION_EVENT) return;
    pthread_mutex_lock(&recorder->lock);
    recorder->types[recorder->count] = type;
    snprintf(recorder->paths[recorder->count++], PATH, "%s", path);
    pthread_mutex_unlock(&recorder->lock);
}

static bool told(struct recorder *recorder, int type, const char *path) {
    for (int waited = 0; waited < PATIENCE_MILLIS; waited += 10) {
        pthread_mutex_lock(&recorder->lock);
        bool there = recorder->taken < recorder->count;
        bool right = there && recorder->types[recorder->taken] == type && strcmp(recorder->paths[recorder->taken], path) == 0;
        if (there) recorder->taken++;
        pthread_mutex_unlock(&recorder->lock);
        if (there) return right;
        usleep(10 * 1000);
    }
    return false;
}

static bool told_nothing_more(struct recorder *recorder) {
    zoo_exists(zk, "/", 0, NULL);
    usleep(50 * 1000);
    return recorder->taken == recorder->count;
}

static zhandle_t *open_session(const clientid_t *id) {
    zhandle_t *handle = zookeeper_init(hosts, NULL, SESSION_MILLIS, id, NULL, 0);
    for (int waited = 0; handle && waited < PATIENCE_MILLIS; waited += 10) {
        if (zoo_state(handle) == ZOO_CONNECTED_STATE) return handle;
        usleep(10 * 1000);
    }
    printf("FAILED connecting\n");
    exit(1);
}

/* Checks of znodes. */

static bool create_modes(const char *root) {
    char name[PATH];
    struct Stat stat;
    EXPECT_CODE(ZOK, create(zk, under(root, "p"), ZOO_PERSISTENT, name));
    EXPECT(strcmp(name, under(root, "p")) == 0, "%s", name);
    EXPECT_CODE(ZOK, create(zk, under(root, "e"), ZOO_EPHEMERAL, NULL));
    EXPECT_CODE(ZOK, create(zk, under(root, "s-"), ZOO_PERSISTENT_SEQUENTIAL, name));
    EXPECT(strcmp(name, under(root, "s-0000000002")) == 0, "%s", name);
    EXPECT_CODE(ZOK, create(zk, under(root, "es-"), ZOO_EPHEMERAL_SEQUENTIAL, name));
    EXPECT(strcmp(name, under(root, "es-0000000003")) == 0, "%s", name);
    EXPECT_CODE(ZOK, create(zk, under(root, "c"), ZOO_CONTAINER, NULL));
    EXPECT_CODE(ZOK, zoo_exists(zk, under(root, "e"), 0, &stat));
    EXPECT(stat.ephemeralOwner == zoo_client_id(zk)->client_id, "owner %llx", (long long)stat.ephemeralOwner);
    EXPECT_CODE(ZOK, zoo_exists(zk, root, 0, &stat));
    EXPECT(stat.numChildren == 5 && stat.cversion == 5, "%d children, cversion %d", stat.numChildren, stat.cversion);
    return true;
}

static bool create_with_stat(const char *root) {
    char name[PATH];
    struct Stat created, read;
    EXPECT_CODE(ZOK, zoo_create2(zk, under(root, "n"), "12345", 5, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, name, PATH, &created));
    EXPECT_CODE(ZOK, zoo_exists(zk, name, 0, &read));
    EXPECT(same(&created, &read), "the stats differ");
    EXPECT(read.dataLength == 5, "length %d", read.dataLength);
    return true;
}

static bool create_with_ttl(const char *root) {
    EXPECT_CODE(ZOK, zoo_create_ttl(zk, under(root, "t"), "x", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 200, NULL, 0));
    EXPECT(goes(under(root, "t")), "it stays");
    return true;
}

static bool container_goes(const char *root) {
    EXPECT_CODE(ZOK, create(zk, under(root, "c"), ZOO_CONTAINER, NULL));
    EXPECT_CODE(ZOK, create(zk, under(root, "c/child"), ZOO_PERSISTENT, NULL));
    EXPECT_CODE(ZOK, zoo_delete(zk, under(root, "c/child"), -1));
    EXPECT(goes(under(root, "c")), "it stays");
    return true;
}

static bool set_and_get(const char *root) {
    char data[16];
    int length = sizeof data;
    struct Stat stat;
    EXPECT_CODE(ZOK, zoo_set2(zk, root, "one", 3, 0, &stat));
    EXPECT(stat.version == 1 && stat.dataLength == 3, "version %d", stat.version);
    EXPECT_CODE(ZBADVERSION, zoo_set(zk, root, "two", 3, 0));
    EXPECT_CODE(ZOK, zoo_get(zk, root, 0, data, &length, &stat));
    EXPECT(length == 3 && memcmp(data, "one", 3) == 0 && stat.version == 1, "%.*s", length, data);
    EXPECT_CODE(ZOK, zoo_set(zk, root, NULL, -1, -1));
    length = sizeof data;
    EXPECT_CODE(ZOK, zoo_get(zk, root, 0, data, &length, NULL));
    EXPECT(length == -1, "length %d of null data", length);
    return true;
}

static bool children(const char *root) {
    struct String_vector names;
    struct Stat stat;
    create(zk, under(root, "a"), ZOO_PERSISTENT, NULL);
    create(zk, under(root, "b"), ZOO_PERSISTENT, NULL);
    EXPECT_CODE(ZOK, zoo_get_children(zk, root, 0, &names));
    EXPECT(names.count == 2, "%d children", names.count);
    deallocate_String_vector(&names);
    EXPECT_CODE(ZOK, zoo_get_children2(zk, root, 0, &names, &stat));
    EXPECT(names.count == 2 && stat.numChildren == 2 && stat.cversion == 2, "cversion %d", stat.cversion);
    deallocate_String_vector(&names);
    return true;
}

static bool errors(const char *root) {
    create(zk, under(root, "full"), ZOO_PERSISTENT, NULL);
    create(zk, under(root, "full/child"), ZOO_PERSISTENT, NULL);
    create(zk, under(root, "e"), ZOO_EPHEMERAL, NULL);
    EXPECT_CODE(ZNODEEXISTS, create(zk, under(root, "full"), ZOO_PERSISTENT, NULL));
    EXPECT_CODE(ZNONODE, create(zk, under(root, "no/child"), ZOO_PERSISTENT, NULL));
    EXPECT_CODE(ZNOCHILDRENFOREPHEMERALS, create(zk, under(root, "e/child"), ZOO_PERSISTENT, NULL));
    EXPECT_CODE(ZNOTEMPTY, zoo_delete(zk, under(root, "full"), -1));
    EXPECT_CODE(ZBADVERSION, zoo_delete(zk, under(root, "full/child"), 7));
    EXPECT_CODE(ZNONODE, zoo_delete(zk, under(root, "no"), -1));
    EXPECT_CODE(ZNONODE, zoo_exists(zk, under(root, "no"), 0, NULL));
    EXPECT_CODE(ZBADARGUMENTS, zoo_delete(zk, "/zookeeper", -1));
    return true;
}

/* Checks of transactions. */

static bool multi(const char *root) {
    char first[PATH], second[PATH];
    struct Stat stat;
    zoo_op_t ops[5];
    zoo_op_result_t results[5];
    const char *path = under(root, "a");
    zoo_create_op_init(&ops[0], path, "1", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, first, PATH);
    zoo_create_op_init(&ops[1], under(root, "s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL_SEQUENTIAL, second, PATH);
    zoo_set_op_init(&ops[2], path, "22", 2, 0, &stat);
    zoo_check_op_init(&ops[3], path, 1);
    zoo_delete_op_init(&ops[4], path, 1);
    EXPECT_CODE(ZOK, zoo_multi(zk, 5, ops, results));
    EXPECT(strcmp(first, path) == 0 && strcmp(second, under(root, "s-0000000001")) == 0, "%s %s", first, second);
    EXPECT(stat.version == 1 && stat.dataLength == 2, "version %d", stat.version);
    EXPECT_CODE(ZNONODE, zoo_exists(zk, path, 0, NULL));
    return true;
}

static bool failed_multi(const char *root) {
    char name[PATH];
    zoo_op_t ops[3];
    zoo_op_result_t results[3];
    zoo_create_op_init(&ops[0], under(root, "a"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT, name, PATH);
    zoo_check_op_init(&ops[1], root, 9);
    zoo_delete_op_init(&ops[2], under(root, "b"), -1);
    EXPECT_CODE(ZBADVERSION, zoo_multi(zk, 3, ops, results));
    EXPECT(results[0].err == ZOK && results[1].err == ZBADVERSION && results[2].err == ZRUNTIMEINCONSISTENCY, "%d %d %d", results[0].err, results[1].err, results[2].err);
    EXPECT_CODE(ZNONODE, zoo_exists(zk, under(root, "a"), 0, NULL));
    return true;
}

/* Checks of security. */

static void note_code(int code, const void *context) {
    *(volatile int *)context = code;
}

/* Authenticates and waits for the answer. */
static int authenticate(zhandle_t *handle, const char *scheme, const char *credentials) {
    static volatile int code;
    code = 1;
    zoo_add_auth(handle, scheme, credentials, (int)strlen(credentials), (void_completion_t)note_code, (const void *)&code);
    for (int waited = 0; code == 1 && waited < PATIENCE_MILLIS; waited += 10) usleep(10 * 1000);
    return code;
}

static bool creator_acl(const char *root) {
    zhandle_t *alice = open_session(NULL);
    const char *path = under(root, "n");
    struct ACL_vector acl;
    struct Stat stat;
    EXPECT_CODE(ZOK, authenticate(alice, "digest", "alice:wonder"));
    EXPECT_CODE(ZOK, zoo_create(alice, path, "x", 1, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, NULL, 0));
    EXPECT_CODE(ZNOAUTH, zoo_set(zk, path, "y", 1, -1));
    EXPECT_CODE(ZNOAUTH, zoo_get_acl(zk, path, &acl, &stat));
    EXPECT_CODE(ZOK, zoo_get_acl(alice, path, &acl, &stat));
    EXPECT(acl.count == 1 && strcmp(acl.data[0].id.scheme, "digest") == 0 && strncmp(acl.data[0].id.id, "alice:", 6) == 0, "%d entries", acl.count);
    deallocate_ACL_vector(&acl);
    EXPECT_CODE(ZOK, zoo_set_acl(alice, path, 0, &ZOO_OPEN_ACL_UNSAFE));
    EXPECT_CODE(ZBADVERSION, zoo_set_acl(alice, path, 0, &ZOO_OPEN_ACL_UNSAFE));
    EXPECT_CODE(ZOK, zoo_set(zk, path, "y", 1, -1));
    zookeeper_close(alice);
    return true;
}

static bool invalid_acl(const char *root) {
    EXPECT_CODE(ZINVALIDACL, zoo_create(zk, under(root, "n"), "", 0, &ZOO_CREATOR_ALL_ACL, ZOO_PERSISTENT, NULL, 0));
    return true;
}

static bool failed_authentication(const char *root) {
    (void)root;
    zhandle_t *stranger = open_session(NULL);
    EXPECT_CODE(ZAUTHFAILED, authenticate(stranger, "nonsense", "x"));
    zookeeper_close(stranger);
    return true;
}

/* Checks of watches. */

static bool one_shot_watches(const char *root) {
    static struct recorder recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct String_vector names;
    char data[8];
    int length = sizeof data;
    EXPECT_CODE(ZOK, zoo_wget(zk, root, record, &recorder, data, &length, NULL));
    EXPECT_CODE(ZOK, zoo_wget_children(zk, root, record, &recorder, &names));
    deallocate_String_vector(&names);
    EXPECT_CODE(ZNONODE, zoo_wexists(zk, under(root, "n"), record, &recorder, NULL));
    create(zk, under(root, "n"), ZOO_PERSISTENT, NULL);
    EXPECT(told(&recorder, ZOO_CREATED_EVENT, under(root, "n")), "not told of the node");
    EXPECT(told(&recorder, ZOO_CHILD_EVENT, root), "not told of the child");
    zoo_set(zk, root, "y", 1, -1);
    EXPECT(told(&recorder, ZOO_CHANGED_EVENT, root), "not told of the data");
    zoo_set(zk, root, "z", 1, -1);
    EXPECT(told_nothing_more(&recorder), "told twice");
    return true;
}

static bool removed_watches(const char *root) {
    static struct recorder recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};
    EXPECT_CODE(ZOK, zoo_wexists(zk, root, record, &recorder, NULL));
    EXPECT_CODE(ZOK, zoo_remove_watches(zk, root, ZWATCHTYPE_DATA, record, &recorder, 0));
    EXPECT_CODE(ZNOWATCHER, zoo_remove_watches(zk, root, ZWATCHTYPE_DATA, record, &recorder, 0));
    EXPECT_CODE(ZOK, zoo_wexists(zk, root, record, &recorder, NULL));
    EXPECT_CODE(ZOK, zoo_remove_all_watches(zk, root, ZWATCHTYPE_ANY, 0));
    zoo_set(zk, root, "y", 1, -1);
    for (int index = 0; index < recorder.count; index++) {
        EXPECT(recorder.types[index] != ZOO_CHANGED_EVENT, "a removed watch was told");
    }
    return true;
}

/* Checks of sessions. */

/* What the program does when it is called again with a path: leaves an ephemeral and its session behind. */
static int leave_a_session(const char *path) {
    zhandle_t *owner = open_session(NULL);
    const clientid_t *id = zoo_client_id(owner);
    if (create(owner, path, ZOO_EPHEMERAL, NULL) != ZOK) return 1;
    fwrite(id, sizeof *id, 1, stdout);
    fflush(stdout);
    _exit(0);
}

static bool session_taken_up(const char *root) {
    char command[PATH * 2];
    struct Stat stat;
    clientid_t id;
    snprintf(command, sizeof command, "%s %s %s", program, hosts, under(root, "e"));
    FILE *other = popen(command, "r");
    EXPECT(other && fread(&id, sizeof id, 1, other) == 1, "the other process gave no session");
    pclose(other);
    zhandle_t *heir = open_session(&id);
    EXPECT(zoo_client_id(heir)->client_id == id.client_id, "another session");
    EXPECT_CODE(ZOK, zoo_exists(heir, under(root, "e"), 0, &stat));
    EXPECT(stat.ephemeralOwner == id.client_id, "another owner");
    EXPECT_CODE(ZOK, zookeeper_close(heir));
    EXPECT(goes(under(root, "e")), "the ephemeral stays");
    return true;
}

static bool closing_takes_ephemerals(const char *root) {
    static struct recorder recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};
    zhandle_t *owner = open_session(NULL);
    EXPECT_CODE(ZOK, create(owner, under(root, "e"), ZOO_EPHEMERAL, NULL));
    EXPECT_CODE(ZOK, zoo_wexists(zk, under(root, "e"), record, &recorder, NULL));
    EXPECT_CODE(ZOK, zookeeper_close(owner));
    EXPECT(told(&recorder, ZOO_DELETED_EVENT, under(root, "e")), "not told");
    return true;
}

static bool negotiated_timeout(const char *root) {
    (void)root;
    EXPECT(zoo_recv_timeout(zk) == SESSION_MILLIS, "%d ms", zoo_recv_timeout(zk));
    return true;
}

static bool config_node(const char *root) {
    (void)root;
    char data[1024];
    int length = sizeof data;
    EXPECT_CODE(ZOK, zoo_getconfig(zk, 0, data, &length, NULL));
    return true;
}

/* Ordered asynchronous calls: each completion appends to a list. */

static struct {
    pthread_mutex_t lock;
    int versions[300];
    int count;
} completed = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_version(int code, const struct Stat *stat, const void *context) {
    (void)context;
    pthread_mutex_lock(&completed.lock);
    completed.versions[completed.count++] = code == ZOK ? stat->version : code;
    pthread_mutex_unlock(&completed.lock);
}

static bool asynchronous_calls(const char *root) {
    for (int index = 0; index < 300; index++) {
        EXPECT_CODE(ZOK, zoo_aset(zk, root, "x", 1, -1, note_version, NULL));
    }
    for (int waited = 0; completed.count < 300 && waited < PATIENCE_MILLIS; waited += 10) usleep(10 * 1000);
    for (int index = 0; index < 300; index++) {
        EXPECT(completed.versions[index] == index + 1, "call %d: version %d", index, completed.versions[index]);
    }
    return true;
}

static bool outlives_a_restart(const char *root) {
    static struct recorder recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};
    char line[64], data[8];
    struct String_vector names;
    struct Stat before, after;
    int length = sizeof data, code = ZCONNECTIONLOSS;
    int64_t session = zoo_client_id(zk)->client_id;
    EXPECT_CODE(ZOK, create(zk, under(root, "e"), ZOO_EPHEMERAL, NULL));
    EXPECT_CODE(ZOK, zoo_wget(zk, under(root, "e"), record, &recorder, data, &length, &before));
    EXPECT_CODE(ZOK, zoo_wget_children(zk, root, record, &recorder, &names));
    deallocate_String_vector(&names);
    printf("RESTART-SERVER\n");
    fflush(stdout);
    EXPECT(fgets(line, sizeof line, stdin) && strncmp(line, "done", 4) == 0, "no answer");
    for (int waited = 0; code != ZOK && waited < PATIENCE_MILLIS; waited += 50) {
        usleep(50 * 1000);
        code = zoo_exists(zk, under(root, "e"), 0, &after);
    }
    EXPECT(code == ZOK, "%s after the restart", zerror(code));
    EXPECT(same(&before, &after), "the stat changed");
    EXPECT(zoo_client_id(zk)->client_id == session, "another session");
    zhandle_t *other = open_session(NULL);
    EXPECT_CODE(ZOK, zoo_set(other, under(root, "e"), "y", 1, 0));
    EXPECT_CODE(ZOK, create(other, under(root, "n"), ZOO_PERSISTENT, NULL));
    EXPECT(told(&recorder, ZOO_CHANGED_EVENT, under(root, "e")), "not told of the data");
    EXPECT(told(&recorder, ZOO_CHILD_EVENT, root), "not told of the child");
    zookeeper_close(other);
    return true;
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    program = arguments[0];
    hosts = arguments[1];
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zoo_set_log_stream(fopen("/dev/null", "w"));
    if (count == 3) return leave_a_session(arguments[2]);
    zk = open_session(NULL);
    check("create-modes", create_modes);
    check("create-with-stat", create_with_stat);
    check("create-with-ttl", create_with_ttl);
    check("container-goes-when-empty", container_goes);
    check("set-and-get-with-versions", set_and_get);
    check("children", children);
    check("errors", errors);
    check("multi", multi);
    check("failed-multi", failed_multi);
    check("creator-acl", creator_acl);
    check("invalid-acl", invalid_acl);
    check("failed-authentication", failed_authentication);
    check("one-shot-watches", one_shot_watches);
    check("removed-watches", removed_watches);
    check("session-taken-up-by-id-and-password", session_taken_up);
    check("closing-takes-ephemerals", closing_takes_ephemerals);
    check("negotiated-timeout", negotiated_timeout);
    check("config-node", config_node);
    check("asynchronous-calls-in-order", asynchronous_calls);
    check("everything-outlives-a-restart-of-the-server", outlives_a_restart);
    zookeeper_close(zk);
    return failures ? 1 : 0;
}
