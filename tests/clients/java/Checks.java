import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Objects;
import java.util.concurrent.Callable;

/**
 * Counts and prints checks: one line each, {@code ok NAME} or {@code FAILED NAME why}.
 *
 * <p>A check that needs the server killed and started again calls {@link #restartServer()}; whoever runs the
 * program does it on the line {@code RESTART-SERVER} and answers with a line.
 */
final class Checks {
    static final long PATIENCE_MILLIS = 15_000;

    private static final BufferedReader ANSWERS = new BufferedReader(new InputStreamReader(System.in));
    private static int failed;

    private Checks() {}

    interface Body {
        void run() throws Exception;
    }

    static void check(String name, Body body) {
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Throwable failure) {
            failed++;
            StackTraceElement[] stack = failure.getStackTrace();
            String where = "";
            for (StackTraceElement frame : stack) {
                if (frame.getClassName().endsWith("Checks") && !frame.getMethodName().startsWith("expect") && !frame.getClassName().equals("Checks")) {
                    where = " at " + frame.getFileName() + ":" + frame.getLineNumber();
                    break;
                }
            }
            System.out.println("FAILED " + name + " " + String.valueOf(failure).replace('\n', ' ') + where);
        }
        System.out.flush();
    }

    static int failures() {
        return failed;
    }

    static void restartServer() throws Exception {
        System.out.println("RESTART-SERVER");
        System.out.flush();
        expect("the server was restarted", "done", ANSWERS.readLine());
    }

    static void expect(String what, Object due, Object got) {
        if (!Objects.deepEquals(due, got)) {
            throw new AssertionError(what + ": " + got + " where " + due + " was due");
        }
    }

    static void expect(String what, boolean holds) {
        if (!holds) {
            throw new AssertionError("not so: " + what);
        }
    }

    static <T extends Throwable> T expectThrows(Class<T> kind, Body body) throws Exception {
        try {
            body.run();
        } catch (Throwable thrown) {
            if (kind.isInstance(thrown)) {
                return kind.cast(thrown);
            }
            throw new AssertionError(thrown + " where " + kind.getSimpleName() + " was due", thrown);
        }
        throw new AssertionError("nothing was thrown where " + kind.getSimpleName() + " was due");
    }

    /** Waits until the condition holds; what it throws meanwhile counts as not yet. */
    static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE_MILLIS;
        Exception last = null;
        while (System.currentTimeMillis() < deadline) {
            try {
                if (condition.call()) {
                    return;
                }
            } catch (Exception exception) {
                last = exception;
            }
            Thread.sleep(20);
        }
        throw new AssertionError("waited in vain: " + what + (last == null ? "" : ", last " + last));
    }
}
