import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * A stateful job that bears witness to its own state.
 *
 * <p>A source counts 0, 1, 2, ... at a fixed rate; the numbers are spread over keys, and each key expects its
 * numbers one by one, without a gap and without a repetition, whatever was killed in between. Each counting
 * subtask appends to a journal file of its own what a restart must not contradict:
 *
 * <pre>
 *   start    CHECKPOINT COUNT   restored from that checkpoint ("-": none) with that many records counted
 *   snapshot CHECKPOINT COUNT   that many records counted at the barrier of that checkpoint
 *   complete CHECKPOINT         the JobManager confirmed it, so its znode was acknowledged before
 *   broken   KEY EXPECTED FOUND a number was lost or repeated; the job fails
 * </pre>
 *
 * <p>Arguments: journal directory, numbers per second. Start with {@code main}.
 */
public final class CountingJob {
    private static final int KEYS = 16;
    private static final int COUNTING_SUBTASKS = 2;

    private CountingJob() {}

    public static void main(String[] args) throws Exception {
        String journalDirectory = args[0];
        double perSecond = Double.parseDouble(args[1]);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        DataGeneratorSource<Long> numbers =
                new DataGeneratorSource<>(
                        index -> index, Long.MAX_VALUE / 4, RateLimiterStrategy.perSecond(perSecond), Types.LONG);
        env.fromSource(numbers, WatermarkStrategy.noWatermarks(), "numbers")
                .setParallelism(1)
                .keyBy(number -> (int) (number % KEYS), Types.INT)
                .process(new Count(journalDirectory))
                .name("count")
                .setParallelism(COUNTING_SUBTASKS)
                .sinkTo(new DiscardingSink<>())
                .setParallelism(COUNTING_SUBTASKS);
        env.execute("counting");
    }

    /** Counts the records of its subtask, checks the order of each key, and keeps the journal. */
    private static final class Count extends KeyedProcessFunction<Integer, Long, Long>
            implements CheckpointedFunction, CheckpointListener {
        private static final long serialVersionUID = 1L;

        private final String journalDirectory;
        private transient Path journal;
        private transient ValueState<Long> next;
        private transient ListState<Long> counted;
        private transient long count;

        Count(String journalDirectory) {
            this.journalDirectory = journalDirectory;
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            counted = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("counted", Types.LONG));
            for (long restored : counted.get()) {
                count += restored;
            }
            journal = Path.of(journalDirectory, "subtask-" + getRuntimeContext().getTaskInfo().getIndexOfThisSubtask());
            String from = context.isRestored() ? Long.toString(context.getRestoredCheckpointId().getAsLong()) : "-";
            write("start " + from + " " + count);
        }

        @Override
        public void open(OpenContext context) {
            next = getRuntimeContext().getState(new ValueStateDescriptor<>("next", Types.LONG));
        }

        @Override
        public void processElement(Long number, Context context, Collector<Long> out) throws Exception {
            Long expected = next.value();
            if (expected == null) {
                expected = (long) context.getCurrentKey();
            }
            if (!expected.equals(number)) {
                write("broken " + context.getCurrentKey() + " " + expected + " " + number);
                throw new IllegalStateException("expected " + expected + ", found " + number);
            }
            next.update(number + KEYS);
            count++;
            out.collect(number);
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            counted.clear();
            counted.add(count);
            write("snapshot " + context.getCheckpointId() + " " + count);
        }

        @Override
        public void notifyCheckpointComplete(long checkpoint) throws Exception {
            write("complete " + checkpoint);
        }

        private void write(String line) throws IOException {
            Files.write(
                    journal,
                    (line + "\n").getBytes(StandardCharsets.UTF_8),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        }
    }
}
