import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.ACLProvider;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;

/** Curator's client and recipes, those that Flink uses above all, against a server at the host:port given. */
public final class CuratorChecks {
    private static final int SESSION_MILLIS = 10_000;

    private final String hosts;
    private final CuratorFramework client;
    private final CuratorFramework other;
    private int roots;

    private CuratorChecks(String hosts) throws Exception {
        this.hosts = hosts;
        this.client = open();
        this.other = open();
    }

    public static void main(String[] arguments) throws Exception {
        CuratorChecks checks = new CuratorChecks(arguments[0]);
        checks.calls();
        checks.leaders();
        checks.locks();
        checks.counters();
        checks.caches();
        checks.nodes();
        checks.restarts();
        checks.client.close();
        checks.other.close();
        System.exit(Checks.failures() == 0 ? 0 : 1);
    }

    private CuratorFramework open() throws Exception {
        CuratorFramework framework = CuratorFrameworkFactory.builder()
                .connectString(hosts)
                .sessionTimeoutMs(SESSION_MILLIS)
                .connectionTimeoutMs(SESSION_MILLIS)
                .retryPolicy(new ExponentialBackoffRetry(100, 8))
                .build();
        framework.start();
        Checks.expect("connects", framework.blockUntilConnected(15, TimeUnit.SECONDS));
        return framework;
    }

    private String root() throws Exception {
        return client.create().forPath("/curator-" + (++roots), new byte[0]);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    private static String text(byte[] data) {
        return data == null ? null : new String(data, UTF_8);
    }

    private void calls() {
        Checks.check("parent-containers", () -> {
            String root = root();
            client.create().creatingParentContainersIfNeeded().forPath(root + "/a/b/c", bytes("x"));
            Checks.expect("data", "x", text(client.getData().forPath(root + "/a/b/c")));
            client.delete().forPath(root + "/a/b/c");
            Checks.await("the containers go", () -> client.checkExists().forPath(root + "/a") == null);
            Checks.expect("the root stays", client.checkExists().forPath(root) != null);
        });
        Checks.check("parents", () -> {
            String root = root();
            client.create().creatingParentsIfNeeded().forPath(root + "/a/b", bytes("x"));
            client.delete().deletingChildrenIfNeeded().forPath(root + "/a");
            Checks.expect("gone", null, client.checkExists().forPath(root + "/a"));
        });
        Checks.check("protected-ephemeral-sequential", () -> {
            String root = root();
            String path = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(root + "/lock-");
            Checks.expect("name " + path, path.matches(root + "/_c_[0-9a-f-]{36}-lock-0000000000"));
            long owner = client.checkExists().forPath(path).getEphemeralOwner();
            Checks.expect("owner", client.getZookeeperClient().getZooKeeper().getSessionId(), owner);
        });
        Checks.check("create-or-set", () -> {
            String root = root();
            client.create().orSetData().forPath(root + "/n", bytes("1"));
            client.create().orSetData().forPath(root + "/n", bytes("2"));
            Checks.expect("data", "2", text(client.getData().forPath(root + "/n")));
        });
        Checks.check("create-with-ttl", () -> {
            String path = root() + "/t";
            client.create().withTtl(200).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath(path, bytes("x"));
            Checks.await("the node goes", () -> client.checkExists().forPath(path) == null);
        });
        Checks.check("set-with-version", () -> {
            String root = root();
            Checks.expect("version", 1, client.setData().withVersion(0).forPath(root, bytes("1")).getVersion());
            Checks.expectThrows(KeeperException.BadVersionException.class, () -> client.setData().withVersion(0).forPath(root, bytes("2")));
        });
        Checks.check("stat-in-read-and-create", () -> {
            Stat created = new Stat();
            String path = client.create().storingStatIn(created).forPath(root() + "/n", bytes("123"));
            Stat read = new Stat();
            client.getData().storingStatIn(read).forPath(path);
            Checks.expect("stat", read, created);
        });
        Checks.check("guaranteed-and-quiet-delete", () -> {
            String path = client.create().forPath(root() + "/n", bytes("x"));
            client.delete().guaranteed().forPath(path);
            client.delete().quietly().forPath(path);
            Checks.expect("gone", null, client.checkExists().forPath(path));
        });
        Checks.check("transaction", () -> {
            String root = root();
            List<CuratorTransactionResult> results = client.transaction().forOperations(
                    client.transactionOp().create().forPath(root + "/state", bytes("1")),
                    client.transactionOp().create().forPath(root + "/locks"),
                    client.transactionOp().create().withMode(CreateMode.EPHEMERAL).forPath(root + "/locks/l"),
                    client.transactionOp().setData().withVersion(0).forPath(root + "/state", bytes("2")),
                    client.transactionOp().check().withVersion(1).forPath(root + "/state"),
                    client.transactionOp().delete().forPath(root + "/locks/l"));
            Checks.expect("results", 6, results.size());
            Checks.expect("path", root + "/state", results.get(0).getResultPath());
            Checks.expect("version", 1, results.get(3).getResultStat().getVersion());
            Checks.expect("data", "2", text(client.getData().forPath(root + "/state")));
        });
        Checks.check("failed-transaction", () -> {
            String root = root();
            KeeperException failure = Checks.expectThrows(KeeperException.NodeExistsException.class, () -> client.transaction().forOperations(
                    client.transactionOp().create().forPath(root + "/new", bytes("x")),
                    client.transactionOp().create().forPath(root, bytes("x"))));
            Checks.expect("which", 2, failure.getResults().size());
            Checks.expect("nothing done", null, client.checkExists().forPath(root + "/new"));
        });
        Checks.check("background-calls", () -> {
            String root = root();
            BlockingQueue<String> done = new LinkedBlockingQueue<>();
            client.create().inBackground((framework, event) -> done.add(event.getType() + " " + event.getResultCode())).forPath(root + "/n");
            client.getChildren().inBackground((framework, event) -> done.add(event.getType() + " " + event.getChildren())).forPath(root);
            client.sync().inBackground((framework, event) -> done.add(event.getType() + " " + event.getResultCode())).forPath(root);
            Checks.expect("create", "CREATE 0", done.poll(10, TimeUnit.SECONDS));
            Checks.expect("children", "CHILDREN [n]", done.poll(10, TimeUnit.SECONDS));
            Checks.expect("sync", "SYNC 0", done.poll(10, TimeUnit.SECONDS));
        });
        Checks.check("creator-acl-provider", this::creatorAcl);
        Checks.check("namespace", () -> {
            String root = root();
            CuratorFramework inside = client.usingNamespace(root.substring(1));
            inside.create().forPath("/n", bytes("x"));
            Checks.expect("outside", "x", text(client.getData().forPath(root + "/n")));
        });
        Checks.check("watched-read", () -> {
            String root = root();
            BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();
            client.getData().usingWatcher((org.apache.zookeeper.Watcher) events::add).forPath(root);
            other.setData().forPath(root, bytes("x"));
            WatchedEvent event = events.poll(10, TimeUnit.SECONDS);
            Checks.expect("event", "NodeDataChanged " + root, event.getType() + " " + event.getPath());
        });
    }

    /** What Flink's {@code high-availability.zookeeper.client.acl: creator} does. */
    private void creatorAcl() throws Exception {
        String root = root();
        CuratorFramework creator = CuratorFrameworkFactory.builder()
                .connectString(hosts)
                .sessionTimeoutMs(SESSION_MILLIS)
                .retryPolicy(new RetryNTimes(5, 200))
                .authorization("digest", bytes("flink:secret"))
                .aclProvider(new ACLProvider() {
                    @Override
                    public List<ACL> getDefaultAcl() {
                        return ZooDefs.Ids.CREATOR_ALL_ACL;
                    }

                    @Override
                    public List<ACL> getAclForPath(String path) {
                        return ZooDefs.Ids.CREATOR_ALL_ACL;
                    }
                })
                .build();
        creator.start();
        creator.create().creatingParentContainersIfNeeded().forPath(root + "/a/b", bytes("x"));
        Checks.expect("acl", "digest", creator.getACL().forPath(root + "/a").get(0).getId().getScheme());
        Checks.expectThrows(KeeperException.NoAuthException.class, () -> client.getData().forPath(root + "/a/b"));
        Checks.expect("own data", "x", text(creator.getData().forPath(root + "/a/b")));
        creator.close();
    }

    private void leaders() {
        Checks.check("leader-latch", () -> {
            String path = root() + "/latch";
            LeaderLatch first = new LeaderLatch(client, path, "first");
            LeaderLatch second = new LeaderLatch(other, path, "second");
            first.start();
            Checks.await("the first leads", first::hasLeadership);
            second.start();
            Checks.await("both take part", () -> first.getParticipants().size() == 2);
            Checks.expect("the second does not lead", !second.hasLeadership());
            Checks.expect("leader", "first", second.getLeader().getId());
            first.close();
            Checks.await("the second leads", second::hasLeadership);
            second.close();
        });
        Checks.check("leader-latch-of-a-lost-client", () -> {
            String path = root() + "/latch";
            CuratorFramework doomed = open();
            LeaderLatch first = new LeaderLatch(doomed, path, "first");
            LeaderLatch second = new LeaderLatch(other, path, "second");
            first.start();
            Checks.await("the first leads", first::hasLeadership);
            second.start();
            doomed.getZookeeperClient().getZooKeeper().close();
            Checks.await("the second leads", second::hasLeadership);
            second.close();
            doomed.close();
        });
        Checks.check("leader-selector", () -> {
            String path = root() + "/selector";
            BlockingQueue<String> leaders = new LinkedBlockingQueue<>();
            AtomicInteger inside = new AtomicInteger();
            List<LeaderSelector> selectors = new ArrayList<>();
            for (CuratorFramework framework : Arrays.asList(client, other)) {
                LeaderSelector selector = new LeaderSelector(framework, path, new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework taker) throws Exception {
                        leaders.add(taker == client ? "client" : "other");
                        Checks.expect("alone", 1, inside.incrementAndGet());
                        Thread.sleep(50);
                        inside.decrementAndGet();
                    }
                });
                selector.autoRequeue();
                selector.start();
                selectors.add(selector);
            }
            List<String> seen = new ArrayList<>();
            while (seen.size() < 6) {
                String leader = leaders.poll(10, TimeUnit.SECONDS);
                Checks.expect("somebody leads", leader != null);
                seen.add(leader);
            }
            Checks.expect("both led: " + seen, seen.contains("client") && seen.contains("other"));
            for (LeaderSelector selector : selectors) {
                selector.close();
            }
        });
    }

    private void locks() {
        Checks.check("mutex", () -> {
            String path = root() + "/mutex";
            AtomicInteger inside = new AtomicInteger();
            AtomicInteger total = new AtomicInteger();
            ExecutorService threads = Executors.newFixedThreadPool(4);
            List<Future<?>> futures = new ArrayList<>();
            for (int worker = 0; worker < 4; worker++) {
                InterProcessMutex mutex = new InterProcessMutex(worker % 2 == 0 ? client : other, path);
                futures.add(threads.submit(() -> {
                    for (int turn = 0; turn < 10; turn++) {
                        mutex.acquire();
                        Checks.expect("alone", 1, inside.incrementAndGet());
                        total.incrementAndGet();
                        inside.decrementAndGet();
                        mutex.release();
                    }
                    return null;
                }));
            }
            for (Future<?> future : futures) {
                future.get(30, TimeUnit.SECONDS);
            }
            threads.shutdown();
            Checks.expect("turns", 40, total.get());
        });
        Checks.check("mutex-times-out", () -> {
            String path = root() + "/mutex";
            InterProcessMutex held = new InterProcessMutex(client, path);
            InterProcessMutex wanted = new InterProcessMutex(other, path);
            held.acquire();
            Checks.expect("refused", !wanted.acquire(300, TimeUnit.MILLISECONDS));
            held.release();
            Checks.expect("granted", wanted.acquire(5, TimeUnit.SECONDS));
            wanted.release();
        });
        Checks.check("read-write-lock", () -> {
            String path = root() + "/lock";
            InterProcessReadWriteLock first = new InterProcessReadWriteLock(client, path);
            InterProcessReadWriteLock second = new InterProcessReadWriteLock(other, path);
            first.readLock().acquire();
            Checks.expect("two readers", second.readLock().acquire(5, TimeUnit.SECONDS));
            second.readLock().release();
            Checks.expect("no writer", !second.writeLock().acquire(200, TimeUnit.MILLISECONDS));
            first.readLock().release();
            Checks.expect("a writer", second.writeLock().acquire(5, TimeUnit.SECONDS));
            second.writeLock().release();
        });
        Checks.check("semaphore", () -> {
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(client, root() + "/semaphore", 2);
            Lease first = semaphore.acquire();
            semaphore.acquire();
            Checks.expect("full", null, semaphore.acquire(200, TimeUnit.MILLISECONDS));
            semaphore.returnLease(first);
            Checks.expect("room", semaphore.acquire(5, TimeUnit.SECONDS) != null);
        });
        Checks.check("double-barrier", () -> {
            String path = root() + "/barrier";
            ExecutorService threads = Executors.newFixedThreadPool(2);
            List<Future<Boolean>> futures = new ArrayList<>();
            for (CuratorFramework framework : Arrays.asList(client, other)) {
                DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(framework, path, 2);
                futures.add(threads.submit(() -> barrier.enter(10, TimeUnit.SECONDS) && barrier.leave(10, TimeUnit.SECONDS)));
            }
            for (Future<Boolean> future : futures) {
                Checks.expect("passed", future.get(20, TimeUnit.SECONDS));
            }
            threads.shutdown();
        });
    }

    private void counters() {
        Checks.check("shared-count", () -> {
            String path = root() + "/count";
            SharedCount first = new SharedCount(client, path, 5);
            SharedCount second = new SharedCount(other, path, 0);
            first.start();
            second.start();
            Checks.expect("seed", 5, second.getCount());
            Checks.expect("set", first.trySetCount(first.getVersionedValue(), 6));
            Checks.await("the other sees it", () -> second.getCount() == 6);
            Checks.expect("set by the other", second.trySetCount(second.getVersionedValue(), 7));
            Checks.await("the first sees it", () -> first.getCount() == 7);
            first.close();
            second.close();
        });
        Checks.check("shared-count-under-contention", () -> {
            String path = root() + "/count";
            ExecutorService threads = Executors.newFixedThreadPool(2);
            List<Future<?>> futures = new ArrayList<>();
            for (CuratorFramework framework : Arrays.asList(client, other)) {
                futures.add(threads.submit(() -> {
                    SharedCount count = new SharedCount(framework, path, 0);
                    count.start();
                    for (int done = 0; done < 50; ) {
                        if (count.trySetCount(count.getVersionedValue(), count.getCount() + 1)) {
                            done++;
                        }
                    }
                    count.close();
                    return null;
                }));
            }
            for (Future<?> future : futures) {
                future.get(30, TimeUnit.SECONDS);
            }
            threads.shutdown();
            Checks.expect("changes", 100, client.checkExists().forPath(path).getVersion());
        });
        Checks.check("atomic-long", () -> {
            DistributedAtomicLong counter = new DistributedAtomicLong(client, root() + "/long", new RetryNTimes(20, 10));
            for (int turn = 0; turn < 20; turn++) {
                AtomicValue<Long> value = counter.increment();
                Checks.expect("succeeded", value.succeeded());
            }
            Checks.expect("value", 20L, counter.get().postValue());
        });
    }

    @SuppressWarnings("deprecation")
    private void caches() {
        Checks.check("node-cache", () -> {
            String path = root() + "/n";
            NodeCache cache = new NodeCache(client, path);
            cache.start(true);
            other.create().forPath(path, bytes("1"));
            Checks.await("created", () -> "1".equals(text(cache.getCurrentData().getData())));
            other.setData().forPath(path, bytes("2"));
            Checks.await("changed", () -> "2".equals(text(cache.getCurrentData().getData())));
            other.delete().forPath(path);
            Checks.await("deleted", () -> cache.getCurrentData() == null);
            cache.close();
        });
        Checks.check("path-children-cache", () -> {
            String root = root();
            PathChildrenCache cache = new PathChildrenCache(client, root, true);
            cache.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
            other.create().forPath(root + "/a", bytes("1"));
            Checks.await("created", () -> cache.getCurrentData(root + "/a") != null);
            other.setData().forPath(root + "/a", bytes("2"));
            Checks.await("changed", () -> "2".equals(text(cache.getCurrentData(root + "/a").getData())));
            other.delete().forPath(root + "/a");
            Checks.await("deleted", () -> cache.getCurrentData(root + "/a") == null);
            cache.close();
        });
        Checks.check("tree-cache", () -> {
            String root = root();
            other.create().creatingParentsIfNeeded().forPath(root + "/a/b", bytes("1"));
            TreeCache cache = new TreeCache(client, root);
            cache.start();
            Checks.await("loaded", () -> "1".equals(text(cache.getCurrentData(root + "/a/b").getData())));
            other.create().creatingParentsIfNeeded().forPath(root + "/c/d/e", bytes("2"));
            Checks.await("grown", () -> "2".equals(text(cache.getCurrentData(root + "/c/d/e").getData())));
            other.setData().forPath(root + "/a/b", bytes("3"));
            Checks.await("changed", () -> "3".equals(text(cache.getCurrentData(root + "/a/b").getData())));
            other.delete().deletingChildrenIfNeeded().forPath(root + "/a");
            Checks.await("shrunk", () -> cache.getCurrentData(root + "/a") == null);
            cache.close();
        });
        Checks.check("curator-cache", () -> {
            String root = root();
            BlockingQueue<String> changes = new LinkedBlockingQueue<>();
            CountDownLatch loaded = new CountDownLatch(1);
            CuratorCache cache = CuratorCache.build(client, root);
            cache.listenable().addListener(CuratorCacheListener.builder()
                    .forCreates(node -> changes.add("created " + node.getPath()))
                    .forChanges((before, after) -> changes.add("changed " + after.getPath() + " " + text(after.getData())))
                    .forDeletes(node -> changes.add("deleted " + node.getPath()))
                    .forInitialized(loaded::countDown)
                    .build());
            cache.start();
            Checks.expect("loaded", loaded.await(10, TimeUnit.SECONDS));
            Checks.expect("root", "created " + root, changes.poll(10, TimeUnit.SECONDS));
            other.create().forPath(root + "/a", bytes("1"));
            Checks.expect("create", "created " + root + "/a", changes.poll(10, TimeUnit.SECONDS));
            other.setData().forPath(root + "/a", bytes("2"));
            Checks.expect("change", "changed " + root + "/a 2", changes.poll(10, TimeUnit.SECONDS));
            other.delete().forPath(root + "/a");
            Checks.expect("delete", "deleted " + root + "/a", changes.poll(10, TimeUnit.SECONDS));
            Checks.expect("size", 1L, (long) cache.size());
            cache.close();
        });
        Checks.check("persistent-watcher", () -> {
            String root = root();
            BlockingQueue<String> events = new LinkedBlockingQueue<>();
            PersistentWatcher watcher = new PersistentWatcher(client, root, true);
            watcher.getListenable().addListener(event -> events.add(event.getType() + " " + event.getPath()));
            CountDownLatch set = new CountDownLatch(1);
            watcher.getResetListenable().addListener(set::countDown);
            watcher.start();
            Checks.expect("set", set.await(10, TimeUnit.SECONDS));
            other.create().forPath(root + "/a");
            other.create().forPath(root + "/a/b");
            Checks.expect("first", "NodeCreated " + root + "/a", events.poll(10, TimeUnit.SECONDS));
            Checks.expect("second", "NodeCreated " + root + "/a/b", events.poll(10, TimeUnit.SECONDS));
            watcher.close();
        });
    }

    private void nodes() {
        Checks.check("persistent-node-comes-back", () -> {
            String path = root() + "/n";
            PersistentNode node = new PersistentNode(client, CreateMode.EPHEMERAL, false, path, bytes("x"));
            node.start();
            Checks.expect("created", node.waitForInitialCreate(10, TimeUnit.SECONDS));
            other.delete().forPath(path);
            Checks.await("it comes back", () -> other.checkExists().forPath(path) != null);
            node.close();
            Checks.await("it goes", () -> other.checkExists().forPath(path) == null);
        });
        Checks.check("persistent-ttl-node", () -> {
            String path = root() + "/n";
            PersistentTtlNode node = new PersistentTtlNode(client, path, 1000, bytes("x"));
            node.start();
            Checks.expect("created", node.waitForInitialCreate(10, TimeUnit.SECONDS));
            Thread.sleep(2500);
            Checks.expect("kept alive", other.checkExists().forPath(path) != null);
            node.close();
            Checks.await("it goes", () -> other.checkExists().forPath(path) == null);
        });
        Checks.check("group-member", () -> {
            String path = root() + "/group";
            GroupMember first = new GroupMember(client, path, "first");
            GroupMember second = new GroupMember(other, path, "second");
            first.start();
            second.start();
            Checks.await("both see both", () -> first.getCurrentMembers().size() == 2 && second.getCurrentMembers().size() == 2);
            second.close();
            Checks.await("one is left", () -> first.getCurrentMembers().size() == 1);
            first.close();
        });
    }

    @SuppressWarnings("deprecation")
    private void restarts() {
        Checks.check("recipes-outlive-a-restart-of-the-server", () -> {
            String root = root();
            List<ConnectionState> states = Collections.synchronizedList(new ArrayList<>());
            client.getConnectionStateListenable().addListener((framework, state) -> states.add(state));
            long session = client.getZookeeperClient().getZooKeeper().getSessionId();
            LeaderLatch latch = new LeaderLatch(client, root + "/latch", "only");
            latch.start();
            Checks.await("it leads", latch::hasLeadership);
            InterProcessMutex mutex = new InterProcessMutex(client, root + "/mutex");
            mutex.acquire();
            client.create().creatingParentsIfNeeded().forPath(root + "/tree/n", bytes("1"));
            client.create().creatingParentsIfNeeded().forPath(root + "/cache/n", bytes("1"));
            TreeCache tree = new TreeCache(client, root + "/tree");
            tree.start();
            CuratorCache cache = CuratorCache.build(client, root + "/cache");
            cache.start();
            SharedCount count = new SharedCount(client, root + "/count", 3);
            count.start();
            PersistentNode node = new PersistentNode(client, CreateMode.EPHEMERAL, false, root + "/node", bytes("x"));
            node.start();
            Checks.expect("created", node.waitForInitialCreate(10, TimeUnit.SECONDS));
            Checks.await("the caches are loaded", () -> tree.getCurrentData(root + "/tree/n") != null && cache.get(root + "/cache/n").isPresent());

            Checks.restartServer();

            Checks.await("connected again", () -> states.contains(ConnectionState.RECONNECTED));
            Checks.expect("not lost: " + states, !states.contains(ConnectionState.LOST));
            Checks.expect("session", session, client.getZookeeperClient().getZooKeeper().getSessionId());
            Checks.await("it leads again", latch::hasLeadership);
            Checks.expect("the node is there", session, client.checkExists().forPath(root + "/node").getEphemeralOwner());
            Checks.await("the other is back", () -> other.checkExists().forPath(root + "/tree/n") != null);
            Checks.expect("the lock is held", !new InterProcessMutex(other, root + "/mutex").acquire(200, TimeUnit.MILLISECONDS));
            mutex.release();
            other.setData().forPath(root + "/tree/n", bytes("2"));
            other.create().forPath(root + "/tree/m", bytes("3"));
            other.setData().forPath(root + "/cache/n", bytes("2"));
            other.create().forPath(root + "/cache/m", bytes("3"));
            Checks.await("the tree cache follows", () -> "2".equals(text(tree.getCurrentData(root + "/tree/n").getData())) && tree.getCurrentData(root + "/tree/m") != null);
            Checks.await("the cache follows", () -> "2".equals(text(cache.get(root + "/cache/n").get().getData())) && cache.get(root + "/cache/m").isPresent());
            Checks.await("the count goes on", () -> count.trySetCount(count.getVersionedValue(), 4));
            latch.close();
            tree.close();
            cache.close();
            count.close();
            node.close();
        });
    }
}
