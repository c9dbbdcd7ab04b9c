import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Says all that the Java client can say to a server, once. Asks to be cut off by printing "drop". */
public class Surface {
    interface Step {
        void run() throws Exception;
    }

    static final Watcher NOBODY = event -> {};

    public static void main(String[] args) throws Exception {
        ZooKeeper zk = new ZooKeeper(args[0], 10000, NOBODY);
        await(zk);
        creates(zk);
        reads(zk);
        writes(zk);
        errors(zk);
        multis(zk);
        watches(zk);
        reconnect(zk, new String[] {"/j/data", "/j/missing"});
        zk.addWatch("/j/kept", NOBODY, AddWatchMode.PERSISTENT);
        zk.addWatch("/j", NOBODY, AddWatchMode.PERSISTENT_RECURSIVE);
        reconnect(zk, new String[] {});
        access(zk);
        strangers(args[0], zk);
        zk.close();
    }

    static void await(ZooKeeper zk) throws Exception {
        while (zk.getState() != ZooKeeper.States.CONNECTED) {
            Thread.sleep(10);
        }
    }

    static void creates(ZooKeeper zk) throws Exception {
        zk.create("/j", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/j/data", "data".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, new Stat());
        zk.create("/j/mine", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.create("/j/mine-", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL, new Stat());
        zk.create("/j/seq-", null, Ids.READ_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
        zk.create("/j/container", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        zk.create("/j/ttl", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 3600000);
        zk.create("/j/ttl-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, new Stat(), 3600000);
        zk.create("/j/\u00e4\u20ac", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    static void reads(ZooKeeper zk) throws Exception {
        zk.exists("/j/data", false);
        zk.getData("/j", false, new Stat());
        zk.getData("/j/data", false, new Stat());
        zk.getData("/zookeeper/config", false, new Stat());
        zk.getChildren("/j", false);
        zk.getChildren("/j/data", false, new Stat());
        zk.getACL("/j/data", new Stat());
        zk.getEphemerals();
        zk.getEphemerals("/j/mine-");
        zk.getAllChildrenNumber("/j");
        zk.whoAmI();
        CountDownLatch synced = new CountDownLatch(1);
        zk.sync("/j", (code, path, context) -> synced.countDown(), null);
        synced.await();
    }

    static void writes(ZooKeeper zk) throws Exception {
        zk.setData("/j/data", "other".getBytes(), 0);
        zk.setData("/j/data", null, -1);
        zk.setACL("/j/data", Ids.OPEN_ACL_UNSAFE, 0);
        zk.create("/j/gone", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.delete("/j/gone", -1);
    }

    static void errors(ZooKeeper zk) throws Exception {
        fails(KeeperException.Code.NONODE, () -> zk.getData("/j/none", false, null));
        fails(KeeperException.Code.NODEEXISTS, () -> zk.create("/j", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        fails(KeeperException.Code.BADVERSION, () -> zk.setData("/j/data", null, 99));
        fails(KeeperException.Code.NOTEMPTY, () -> zk.delete("/j", -1));
        fails(KeeperException.Code.NOCHILDRENFOREPHEMERALS, () -> zk.create("/j/mine/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        fails(KeeperException.Code.BADARGUMENTS, () -> zk.delete("/zookeeper", -1));
        fails(KeeperException.Code.INVALIDACL, () -> zk.create("/j/acl", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
        zk.exists("/j/none", false);
    }

    static void fails(KeeperException.Code code, Step step) throws Exception {
        try {
            step.run();
        } catch (KeeperException failure) {
            if (failure.code() == code) {
                return;
            }
            throw failure;
        }
        throw new AssertionError("not " + code);
    }

    static void multis(ZooKeeper zk) throws Exception {
        zk.multi(Arrays.asList(
            Op.create("/j/m", "m".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.create("/j/m/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
            Op.create("/j/m/t", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 3600000),
            Op.create("/j/m/e-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
            Op.setData("/j/m", "n".getBytes(), 0),
            Op.check("/j/m", 1),
            Op.delete("/j/m/c", -1)));
        fails(KeeperException.Code.BADVERSION, () -> zk.multi(Arrays.asList(
            Op.setData("/j/m", null, -1), Op.check("/j/m", 77), Op.delete("/j/m", -1))));
        zk.multi(new ArrayList<Op>());
        zk.multi(Arrays.asList(Op.getData("/j/m"), Op.getChildren("/j/m"), Op.getData("/j/none")));
    }

    static void watches(ZooKeeper zk) throws Exception {
        zk.exists("/j/data", NOBODY);
        zk.getData("/j/data", NOBODY, null);
        zk.getChildren("/j", NOBODY);
        zk.setData("/j/data", "seen".getBytes(), -1);
        zk.exists("/j/kept", NOBODY);
        zk.create("/j/kept", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Watcher one = event -> {};
        zk.getData("/j/kept", one, null);
        zk.removeWatches("/j/kept", one, Watcher.WatcherType.Data, false);
        zk.getData("/j/kept", one, null);
        zk.removeAllWatches("/j/kept", Watcher.WatcherType.Any, false);
        fails(KeeperException.Code.NOWATCHER, () -> zk.removeAllWatches("/j/none", Watcher.WatcherType.Any, false));
        zk.addWatch("/j/kept", one, AddWatchMode.PERSISTENT);
        zk.create("/j/kept/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.delete("/j/kept/child", -1);
        zk.removeWatches("/j/kept", one, Watcher.WatcherType.Any, false);
        zk.addWatch("/j/kept", one, AddWatchMode.PERSISTENT_RECURSIVE);
        zk.create("/j/kept/child", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.delete("/j/kept/child", -1);
        zk.removeAllWatches("/j/kept", Watcher.WatcherType.Any, false);
        zk.getData("/j/data", NOBODY, null);
        zk.exists("/j/missing", NOBODY);
        zk.getChildren("/j", NOBODY);
    }

    /** Is cut off, comes again, and restores its watches, of which those of some paths then fire. */
    static void reconnect(ZooKeeper zk, String[] paths) throws Exception {
        System.out.println("drop");
        System.out.flush();
        while (zk.getState() == ZooKeeper.States.CONNECTED) {
            Thread.sleep(1);
        }
        await(zk);
        for (String path : paths) {
            if (zk.exists(path, false) == null) {
                zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            } else {
                zk.setData(path, null, -1);
            }
        }
    }

    static void access(ZooKeeper zk) throws Exception {
        zk.addAuthInfo("digest", "user:password".getBytes());
        zk.create("/j/acl", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        zk.getACL("/j/acl", new Stat());
        zk.whoAmI();
    }

    /** Comes with the right session and the wrong password. */
    static void strangers(String address, ZooKeeper zk) throws Exception {
        ZooKeeper stranger = new ZooKeeper(address, 10000, NOBODY, zk.getSessionId(), new byte[16]);
        while (stranger.getState().isAlive()) {
            Thread.sleep(10);
        }
        stranger.close();
    }
}
