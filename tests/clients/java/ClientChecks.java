import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.StatsTrack;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.cli.SetQuotaCommand;
import org.apache.zookeeper.client.FourLetterWordMain;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.ClientInfo;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/** The surface of the plain Java client, against a server at the host:port given. */
public final class ClientChecks {
    private static final int TIMEOUT = 10_000;

    private final String hosts;
    private final ZooKeeper zk;
    private int roots;

    /** Keeps every event it is told. */
    static final class Recorder implements Watcher {
        final BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();

        @Override
        public void process(WatchedEvent event) {
            if (event.getType() != EventType.None) {
                events.add(event);
            }
        }

        void expectNext(EventType type, String path) throws Exception {
            WatchedEvent event = events.poll(Checks.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
            Checks.expect("an event comes", event != null);
            Checks.expect("event", type + " " + path, event.getType() + " " + event.getPath());
        }

        void expectNothing(ZooKeeper client) throws Exception {
            client.getData("/", false, null);
            Thread.sleep(50);
            Checks.expect("events", "[]", events.toString());
        }
    }

    /** A client that can fall silent and leave its session to others. */
    static final class Detachable extends ZooKeeper {
        Detachable(String hosts, Watcher watcher) throws Exception {
            super(hosts, TIMEOUT, watcher);
        }

        void detach() throws Exception {
            cnxn.disconnect();
        }
    }

    private ClientChecks(String hosts) throws Exception {
        this.hosts = hosts;
        this.zk = open();
    }

    public static void main(String[] arguments) throws Exception {
        ClientChecks checks = new ClientChecks(arguments[0]);
        checks.znodes();
        checks.security();
        checks.transactions();
        checks.watches();
        checks.sessions();
        checks.administration();
        checks.restarts();
        checks.zk.close();
        System.exit(Checks.failures() == 0 ? 0 : 1);
    }

    private ZooKeeper open() throws Exception {
        return open(hosts);
    }

    private static ZooKeeper open(String connect) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = new ZooKeeper(connect, TIMEOUT, event -> {
            if (event.getState() == KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        Checks.expect("connects", connected.await(Checks.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        return client;
    }

    private String root() throws Exception {
        return zk.create("/java-" + (++roots), null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    private String create(String path) throws Exception {
        return zk.create(path, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    private void znodes() {
        Checks.check("create-modes", () -> {
            String root = root();
            String[] names = {
                zk.create(root + "/p", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                zk.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL),
                zk.create(root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL),
                zk.create(root + "/es-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
                zk.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
                zk.create(root + "/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 60_000),
                zk.create(root + "/ts-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, new Stat(), 60_000),
            };
            String[] due = {"/p", "/e", "/s-0000000002", "/es-0000000003", "/c", "/t", "/ts-0000000006"};
            for (int index = 0; index < due.length; index++) {
                Checks.expect("name", root + due[index], names[index]);
            }
            Checks.expect("owner", zk.getSessionId(), zk.exists(root + "/e", false).getEphemeralOwner());
            Checks.expect("owner of a container", 0L, zk.exists(root + "/c", false).getEphemeralOwner());
        });
        Checks.check("create-with-stat", () -> {
            Stat stat = new Stat();
            String path = zk.create(root() + "/n", bytes("12345"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
            Checks.expect("stat", zk.exists(path, false), stat);
            Checks.expect("length", 5, stat.getDataLength());
        });
        Checks.check("set-and-get-with-versions", () -> {
            String path = create(root() + "/n");
            Checks.expect("version", 1, zk.setData(path, bytes("one"), 0).getVersion());
            Checks.expectThrows(KeeperException.BadVersionException.class, () -> zk.setData(path, bytes("two"), 0));
            Checks.expect("version", 2, zk.setData(path, bytes("two"), -1).getVersion());
            Stat stat = new Stat();
            Checks.expect("data", "two", new String(zk.getData(path, false, stat), UTF_8));
            Checks.expect("stat version", 2, stat.getVersion());
        });
        Checks.check("errors", () -> {
            String root = root();
            create(root + "/full");
            create(root + "/full/child");
            zk.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Checks.expectThrows(KeeperException.NodeExistsException.class, () -> create(root + "/full"));
            Checks.expectThrows(KeeperException.NoNodeException.class, () -> create(root + "/no/child"));
            Checks.expectThrows(KeeperException.NoChildrenForEphemeralsException.class, () -> create(root + "/e/child"));
            Checks.expectThrows(KeeperException.NotEmptyException.class, () -> zk.delete(root + "/full", -1));
            Checks.expectThrows(KeeperException.NoNodeException.class, () -> zk.delete(root + "/no", -1));
            Checks.expectThrows(KeeperException.BadVersionException.class, () -> zk.delete(root + "/full/child", 5));
            Checks.expectThrows(KeeperException.NoNodeException.class, () -> zk.getData(root + "/no", false, null));
            Checks.expectThrows(KeeperException.BadArgumentsException.class, () -> zk.delete("/zookeeper/quota", -1));
            Checks.expect("exists", null, zk.exists(root + "/no", false));
        });
        Checks.check("children", () -> {
            String root = root();
            create(root + "/b");
            create(root + "/a");
            create(root + "/a/x");
            Stat stat = new Stat();
            List<String> children = new ArrayList<>(zk.getChildren(root, false, stat));
            Collections.sort(children);
            Checks.expect("children", Arrays.asList("a", "b"), children);
            Checks.expect("cversion", 2, stat.getCversion());
            Checks.expect("all children", 3, zk.getAllChildrenNumber(root));
        });
        Checks.check("container-goes-when-empty", () -> {
            String path = zk.create(root() + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
            create(path + "/child");
            zk.delete(path + "/child", -1);
            Checks.await("the container goes", () -> zk.exists(path, false) == null);
        });
        Checks.check("ttl-node-goes", () -> {
            String path = zk.create(root() + "/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 200);
            Checks.await("the node goes", () -> zk.exists(path, false) == null);
        });
        Checks.check("ephemerals-of-session", () -> {
            String root = root();
            zk.create(root + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Checks.expect("by prefix", Arrays.asList(root + "/e"), zk.getEphemerals(root));
            Checks.expect("all", zk.getEphemerals().contains(root + "/e"));
        });
        Checks.check("large-data", () -> {
            byte[] data = new byte[1_000_000];
            Arrays.fill(data, (byte) 7);
            String path = zk.create(root() + "/big", data, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            Checks.expect("data", data, zk.getData(path, false, null));
        });
        Checks.check("recursive-delete-and-listing", () -> {
            String root = root();
            create(root + "/a");
            create(root + "/a/b");
            Checks.expect("subtree", Arrays.asList(root, root + "/a", root + "/a/b"), ZKUtil.listSubTreeBFS(zk, root));
            ZKUtil.deleteRecursive(zk, root);
            Checks.expect("root", null, zk.exists(root, false));
        });
        Checks.check("chroot", () -> {
            String root = root();
            ZooKeeper inside = open(hosts + root);
            Checks.expect("name", "/n", inside.create("/n", bytes("x"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
            Checks.expect("children", Arrays.asList("n"), inside.getChildren("/", false));
            Checks.expect("outside", "x", new String(zk.getData(root + "/n", false, null), UTF_8));
            inside.close();
        });
        Checks.check("asynchronous-calls-in-order", () -> {
            String root = root();
            BlockingQueue<String> done = new LinkedBlockingQueue<>();
            for (int index = 0; index < 200; index++) {
                zk.create(root + "/" + index, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (rc, path, context, name) -> done.add(rc + name), null);
                zk.setData(root, bytes("" + index), -1, (rc, path, context, stat) -> done.add(rc + "v" + stat.getVersion()), null);
            }
            for (int index = 0; index < 200; index++) {
                Checks.expect("create", "0" + root + "/" + index, done.poll(10, TimeUnit.SECONDS));
                Checks.expect("set", "0v" + (index + 1), done.poll(10, TimeUnit.SECONDS));
            }
        });
        Checks.check("sync", () -> {
            CountDownLatch synced = new CountDownLatch(1);
            zk.sync("/", (rc, path, context) -> {
                if (rc == 0 && path.equals("/")) {
                    synced.countDown();
                }
            }, null);
            Checks.expect("synced", synced.await(10, TimeUnit.SECONDS));
        });
    }

    private static ACL digest(int perms, String credentials) throws Exception {
        return new ACL(perms, new Id("digest", DigestAuthenticationProvider.generateDigest(credentials)));
    }

    private void security() {
        Checks.check("creator-all", () -> {
            ZooKeeper alice = open();
            alice.addAuthInfo("digest", bytes("alice:wonder"));
            String path = alice.create(root() + "/n", bytes("secret"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
            Checks.expect("expanded", Arrays.asList(digest(Perms.ALL, "alice:wonder")), alice.getACL(path, null));
            Checks.expectThrows(KeeperException.NoAuthException.class, () -> zk.getData(path, false, null));
            Checks.expectThrows(KeeperException.NoAuthException.class, () -> zk.setData(path, null, -1));
            Checks.expectThrows(KeeperException.NoAuthException.class, () -> zk.setACL(path, Ids.OPEN_ACL_UNSAFE, -1));
            Checks.expectThrows(KeeperException.NoAuthException.class, () -> create(path + "/child"));
            alice.close();
        });
        Checks.check("invalid-acls", () -> {
            String root = root();
            Checks.expectThrows(KeeperException.InvalidACLException.class, () -> zk.create(root + "/n", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
            Checks.expectThrows(KeeperException.InvalidACLException.class, () -> zk.setACL(root, Arrays.asList(new ACL(31, new Id("nonsense", "x"))), -1));
        });
        Checks.check("masked-digests", () -> {
            List<ACL> acl = Arrays.asList(digest(Perms.ALL, "bob:builder"), new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE));
            String path = zk.create(root() + "/n", null, acl, CreateMode.PERSISTENT);
            Checks.expect("masked", "bob:x", zk.getACL(path, new Stat()).get(0).getId().getId());
        });
        Checks.check("set-acl-with-versions", () -> {
            String root = root();
            Checks.expect("aversion", 1, zk.setACL(root, Ids.OPEN_ACL_UNSAFE, 0).getAversion());
            Checks.expectThrows(KeeperException.BadVersionException.class, () -> zk.setACL(root, Ids.OPEN_ACL_UNSAFE, 0));
        });
        Checks.check("failed-authentication", () -> {
            CountDownLatch failed = new CountDownLatch(1);
            ZooKeeper client = new ZooKeeper(hosts, TIMEOUT, event -> {
                if (event.getState() == KeeperState.AuthFailed) {
                    failed.countDown();
                }
            });
            client.addAuthInfo("nonsense", bytes("x"));
            Checks.expect("told", failed.await(10, TimeUnit.SECONDS));
            client.close();
        });
        Checks.check("super-user", () -> {
            ZooKeeper administrator = open();
            administrator.addAuthInfo("digest", bytes("super:secret"));
            String path = zk.create(root() + "/n", null, Arrays.asList(digest(Perms.READ, "bob:builder")), CreateMode.PERSISTENT);
            administrator.setData(path, bytes("x"), -1);
            Checks.expect("acl", "bob:builder".length() < administrator.getACL(path, new Stat()).get(0).getId().getId().length());
            administrator.close();
        });
        Checks.check("who-am-i", () -> {
            ZooKeeper alice = open();
            alice.addAuthInfo("digest", bytes("alice:wonder"));
            List<String> identities = new ArrayList<>();
            for (ClientInfo info : alice.whoAmI()) {
                identities.add(info.getAuthScheme() + ":" + info.getUser());
            }
            Collections.sort(identities);
            Checks.expect("identities", Arrays.asList("digest:alice", "ip:127.0.0.1"), identities);
            alice.close();
        });
    }

    private void transactions() {
        Checks.check("multi", () -> {
            String root = root();
            List<OpResult> results = zk.multi(Arrays.asList(
                    Op.create(root + "/a", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                    Op.setData(root + "/a", bytes("2"), 0),
                    Op.check(root + "/a", 1),
                    Op.create(root + "/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
                    Op.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
                    Op.create(root + "/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 60_000),
                    Op.delete(root + "/a", 1)));
            Checks.expect("create", root + "/a", ((OpResult.CreateResult) results.get(0)).getPath());
            Checks.expect("set", 1, ((OpResult.SetDataResult) results.get(1)).getStat().getVersion());
            Checks.expect("sequence", root + "/s-0000000001", ((OpResult.CreateResult) results.get(3)).getPath());
            Checks.expect("container", root + "/c", ((OpResult.CreateResult) results.get(4)).getPath());
            Checks.expect("ttl", root + "/t", ((OpResult.CreateResult) results.get(5)).getPath());
        });
        Checks.check("failed-multi", () -> {
            String root = root();
            KeeperException failure = Checks.expectThrows(KeeperException.NoNodeException.class, () -> zk.multi(Arrays.asList(
                    Op.create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                    Op.delete(root + "/missing", -1),
                    Op.check(root, -1))));
            List<Integer> codes = new ArrayList<>();
            for (OpResult result : failure.getResults()) {
                codes.add(((OpResult.ErrorResult) result).getErr());
            }
            Checks.expect("codes", Arrays.asList(0, -101, -2), codes);
            Checks.expect("nothing done", 0, zk.getChildren(root, false).size());
        });
        Checks.check("transaction-builder", () -> {
            String root = root();
            zk.transaction().create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT).setData(root, bytes("x"), 0).commit();
            Checks.expect("children", Arrays.asList("a"), zk.getChildren(root, false));
        });
        Checks.check("multi-read", () -> {
            String root = root();
            zk.setData(root, bytes("x"), -1);
            List<OpResult> results = zk.multi(Arrays.asList(Op.getData(root), Op.getChildren(root), Op.getData(root + "/missing")));
            Checks.expect("data", bytes("x"), ((OpResult.GetDataResult) results.get(0)).getData());
            Checks.expect("children", 0, ((OpResult.GetChildrenResult) results.get(1)).getChildren().size());
            Checks.expect("error", -101, ((OpResult.ErrorResult) results.get(2)).getErr());
        });
    }

    private void watches() {
        Checks.check("one-shot-watches", () -> {
            String root = root();
            Recorder recorder = new Recorder();
            zk.getData(root, recorder, null);
            zk.getChildren(root, recorder);
            zk.exists(root + "/n", recorder);
            create(root + "/n");
            recorder.expectNext(EventType.NodeCreated, root + "/n");
            recorder.expectNext(EventType.NodeChildrenChanged, root);
            zk.setData(root, null, -1);
            recorder.expectNext(EventType.NodeDataChanged, root);
            zk.setData(root, null, -1);
            recorder.expectNothing(zk);
        });
        Checks.check("persistent-watch", () -> {
            String root = root();
            Recorder recorder = new Recorder();
            zk.addWatch(root, recorder, AddWatchMode.PERSISTENT);
            for (int turn = 0; turn < 2; turn++) {
                zk.setData(root, null, -1);
                recorder.expectNext(EventType.NodeDataChanged, root);
                create(root + "/" + turn);
                recorder.expectNext(EventType.NodeChildrenChanged, root);
            }
        });
        Checks.check("recursive-watch", () -> {
            String root = root();
            Recorder recorder = new Recorder();
            zk.addWatch(root, recorder, AddWatchMode.PERSISTENT_RECURSIVE);
            create(root + "/a");
            create(root + "/a/b");
            zk.setData(root + "/a/b", null, -1);
            zk.delete(root + "/a/b", -1);
            recorder.expectNext(EventType.NodeCreated, root + "/a");
            recorder.expectNext(EventType.NodeCreated, root + "/a/b");
            recorder.expectNext(EventType.NodeDataChanged, root + "/a/b");
            recorder.expectNext(EventType.NodeDeleted, root + "/a/b");
            recorder.expectNothing(zk);
        });
        Checks.check("remove-one-watcher", () -> {
            String root = root();
            Recorder first = new Recorder();
            Recorder second = new Recorder();
            zk.getData(root, first, null);
            zk.getData(root, second, null);
            zk.removeWatches(root, first, WatcherType.Data, false);
            first.expectNext(EventType.DataWatchRemoved, root);
            zk.setData(root, null, -1);
            second.expectNext(EventType.NodeDataChanged, root);
            first.expectNothing(zk);
        });
        Checks.check("remove-all-watches", () -> {
            String root = root();
            Recorder recorder = new Recorder();
            zk.getChildren(root, recorder);
            zk.removeAllWatches(root, WatcherType.Any, false);
            recorder.expectNext(EventType.ChildWatchRemoved, root);
            create(root + "/n");
            recorder.expectNothing(zk);
            Checks.expectThrows(KeeperException.NoWatcherException.class, () -> zk.removeAllWatches(root, WatcherType.Any, false));
        });
        Checks.check("remove-a-persistent-watch", () -> {
            String root = root();
            Recorder recorder = new Recorder();
            zk.addWatch(root, recorder, AddWatchMode.PERSISTENT_RECURSIVE);
            zk.removeWatches(root, recorder, WatcherType.Any, false);
            recorder.expectNext(EventType.PersistentWatchRemoved, root);
            create(root + "/n");
            recorder.expectNothing(zk);
        });
        Checks.check("events-know-their-zxid", () -> {
            if ("3.8".equals(System.getenv("ZOOKEEPER_BEHAVIOUR"))) {
                return; // its events carry no zxid
            }
            java.lang.reflect.Method getZxid;
            try {
                getZxid = WatchedEvent.class.getMethod("getZxid");
            } catch (NoSuchMethodException olderClient) {
                return;
            }
            String root = root();
            Recorder recorder = new Recorder();
            zk.getData(root, recorder, null);
            long zxid = zk.setData(root, null, -1).getMzxid();
            WatchedEvent event = recorder.events.poll(10, TimeUnit.SECONDS);
            Checks.expect("zxid", zxid, getZxid.invoke(event));
        });
    }

    private void sessions() {
        Checks.check("session-taken-up-by-id-and-password", () -> {
            Detachable first = new Detachable(hosts, event -> {});
            Checks.await("the first is in", () -> first.getState().isConnected());
            String path = first.create(root() + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            first.detach();
            CountDownLatch connected = new CountDownLatch(1);
            ZooKeeper second = new ZooKeeper(hosts, TIMEOUT, event -> {
                if (event.getState() == KeeperState.SyncConnected) {
                    connected.countDown();
                }
            }, first.getSessionId(), first.getSessionPasswd());
            Checks.expect("connects", connected.await(10, TimeUnit.SECONDS));
            Checks.expect("owner", first.getSessionId(), second.exists(path, false).getEphemeralOwner());
            second.close();
            Checks.expect("gone", null, zk.exists(path, false));
        });
        Checks.check("expired-session-is-told", () -> {
            CountDownLatch expired = new CountDownLatch(1);
            ZooKeeper client = open();
            client.register(event -> {
                if (event.getState() == KeeperState.Expired) {
                    expired.countDown();
                }
            });
            // The client takes its session back as soon as it can, so one theft may not be enough.
            Checks.await("told", () -> {
                ZooKeeper thief = new ZooKeeper(hosts, TIMEOUT, event -> {}, client.getSessionId(), client.getSessionPasswd());
                Checks.await("the thief is in or late", () -> thief.getState().isConnected() || !thief.getState().isAlive());
                thief.close();
                return expired.await(1, TimeUnit.SECONDS);
            });
            client.close();
        });
        Checks.check("ephemerals-go-with-close", () -> {
            ZooKeeper client = open();
            String path = client.create(root() + "/e", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Recorder recorder = new Recorder();
            zk.exists(path, recorder);
            client.close();
            recorder.expectNext(EventType.NodeDeleted, path);
        });
        Checks.check("read-only-client-on-a-full-server", () -> {
            CountDownLatch connected = new CountDownLatch(1);
            ZooKeeper client = new ZooKeeper(hosts, TIMEOUT, event -> {
                if (event.getState() == KeeperState.SyncConnected) {
                    connected.countDown();
                }
            }, true);
            Checks.expect("connects read-write", connected.await(10, TimeUnit.SECONDS));
            Checks.expect("state", ZooKeeper.States.CONNECTED, client.getState());
            client.close();
        });
        Checks.check("negotiated-timeout", () -> Checks.expect("timeout", TIMEOUT, zk.getSessionTimeout()));
    }

    private void administration() {
        Checks.check("quotas-of-the-command-line-tool", () -> {
            String root = root();
            StatsTrack limits = new StatsTrack();
            limits.setCountHardLimit(2);
            SetQuotaCommand.createQuota(zk, root, limits);
            create(root + "/a");
            Checks.expectThrows(KeeperException.QuotaExceededException.class, () -> create(root + "/b"));
        });
        Checks.check("config-node", () -> Checks.expect("readable", zk.getConfig(false, new Stat()) != null));
        Checks.check("reconfig-is-disabled", () -> {
            ZooKeeperAdmin admin = new ZooKeeperAdmin(hosts, TIMEOUT, event -> {});
            Checks.await("connected", () -> admin.getState().isConnected());
            Checks.expectThrows(KeeperException.ReconfigDisabledException.class, () -> admin.reconfigure((String) null, "1", null, -1, new Stat()));
            admin.close();
        });
        Checks.check("four-letter-words", () -> {
            String[] address = hosts.split(":");
            int port = Integer.parseInt(address[1]);
            Checks.expect("ruok", "imok", FourLetterWordMain.send4LetterWord(address[0], port, "ruok").trim());
            Checks.expect("srvr", FourLetterWordMain.send4LetterWord(address[0], port, "srvr").contains("Mode: standalone"));
        });
    }

    private void restarts() {
        Checks.check("everything-outlives-a-restart-of-the-server", () -> {
            String root = root();
            long session = zk.getSessionId();
            create(root + "/n");
            create(root + "/p");
            create(root + "/deep");
            zk.create(root + "/e", bytes("x"), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            Recorder once = new Recorder();
            Recorder persistent = new Recorder();
            Recorder recursive = new Recorder();
            zk.getData(root + "/n", once, null);
            zk.getChildren(root, once);
            zk.exists(root + "/new", once);
            zk.addWatch(root + "/p", persistent, AddWatchMode.PERSISTENT);
            zk.addWatch(root + "/deep", recursive, AddWatchMode.PERSISTENT_RECURSIVE);
            Stat before = zk.exists(root + "/n", false);
            Checks.restartServer();
            Checks.await("connected again", () -> zk.exists(root + "/n", false).equals(before));
            Checks.expect("session", session, zk.getSessionId());
            Checks.expect("owner", session, zk.exists(root + "/e", false).getEphemeralOwner());
            ZooKeeper other = open();
            other.setData(root + "/n", bytes("y"), 0);
            other.create(root + "/new", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            other.setData(root + "/p", bytes("y"), 0);
            other.create(root + "/deep/er", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            other.setData(root + "/deep/er", null, -1);
            once.expectNext(EventType.NodeDataChanged, root + "/n");
            once.expectNext(EventType.NodeCreated, root + "/new");
            once.expectNext(EventType.NodeChildrenChanged, root);
            persistent.expectNext(EventType.NodeDataChanged, root + "/p");
            recursive.expectNext(EventType.NodeCreated, root + "/deep/er");
            recursive.expectNext(EventType.NodeDataChanged, root + "/deep/er");
            other.close();
        });
    }
}
