package lambent.runtime;

import com.amazonaws.services.lambda.crac.Core;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Lambent's runtime client for Java: loads a handler and serves it over the Lambda Runtime API.
 *
 * <p>Started ahead of need (LAMBENT_PARKED) it runs handlers of its own, which makes the JVM load and compile what a real one will use, until an answer to
 * "next" carries an assignment: the environment of a function, whose code is in place by then.
 */
public final class Main {
    private static final byte[] NEXT = Connection.request("GET", "invocation/next", "", new byte[0]);

    /** The status with which a process ends whose hooks have failed. */
    private static final int HOOK_FAILED = 64;

    private final Connection connection;
    private boolean concurrent;
    private final Log log;

    private Main(Connection connection, Log log) {
        this.connection = connection;
        this.log = log;
    }

    public static void main(String[] args) throws Exception {
        boolean parked = Environment.take("LAMBENT_PARKED") != null;
        Log log = new Log();
        Main main = new Main(new Connection(Environment.take("LAMBENT_RUNTIME_FD")), log);
        try {
            if (parked) main.park();
            main.log.configure();
            Handler handler = main.load();
            if ("snap-start".equals(System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"))) main.snapshot();
            String workers = System.getenv("AWS_LAMBDA_MAX_CONCURRENCY");
            if (workers != null) work(Integer.parseInt(workers), handler, log);
            else main.serve(handler);
        } catch (EOFException e) {
            System.exit(0);
        }
    }

    /** Serves so many invocations at a time, each by a thread with a connection of its own. */
    private static void work(int count, Handler handler, Log log) throws Exception {
        log.separate();
        Thread[] threads = new Thread[count];
        for (int i = 0; i < count; i++) {
            Main worker = new Main(new Connection(null), log);
            worker.concurrent = true;
            threads[i] = new Thread(() -> worker.serveToTheEnd(handler), "worker-" + i);
            threads[i].setContextClassLoader(Thread.currentThread().getContextClassLoader());
            threads[i].start();
        }
        for (Thread t : threads) t.join();
        System.exit(1); // nobody is left to serve the environment
    }

    private void serveToTheEnd(Handler handler) {
        try {
            serve(handler);
        } catch (EOFException e) {
            System.exit(0);
        } catch (IOException e) {
            log.error(new Fault(e));
        }
    }

    /** Serves events of the platform's own until the process is assigned to a function. */
    private void park() throws Exception {
        List<?> variables;
        try (URLClassLoader loader = Handler.loader(new File("/var/runtime/warm"), new File("/var/runtime/warm"))) {
            Handler[] handlers = {Handler.load(loader, "lambent.warm.Values"), Handler.load(loader, "lambent.warm.Streams"), Handler.load(loader, "lambent.warm.Values::bean")};
            variables = serve(handlers);
        }
        List<String> texts = new ArrayList<>();
        for (Object v : variables) texts.add((String) v);
        Environment.replace(texts);
        log.request(null);
        System.clearProperty("com.amazonaws.xray.traceHeader");
    }

    private Handler load() throws IOException {
        try {
            File root = new File(System.getenv().getOrDefault("LAMBDA_TASK_ROOT", "/var/task"));
            System.setProperty("org.crac.Core.Compat", Core.class.getPackageName());
            ClassLoader loader = Handler.loader(root, new File(root, "lib"), new File("/opt/java/lib"));
            Thread.currentThread().setContextClassLoader(loader);
            return Handler.load(loader, String.valueOf(System.getenv("_HANDLER")));
        } catch (Fault f) {
            throw giveUp("init/error", f.header(), 1, f);
        }
    }

    /** Runs the hooks around a snapshot: some before it is taken, and the others when it is restored, which may be long after. */
    private void snapshot() throws IOException {
        try {
            Core.getGlobalContext().beforeCheckpoint(null);
        } catch (Throwable t) {
            throw giveUp("init/error", "Runtime.BeforeCheckpointError", HOOK_FAILED, faults(t));
        }
        System.out.flush();
        System.err.flush();
        connection.write(Connection.request("GET", "restore/next", "", new byte[0]));
        connection.read();
        try {
            Core.getGlobalContext().afterRestore(null);
        } catch (Throwable t) {
            throw giveUp("restore/error", "Runtime.AfterRestoreError", HOOK_FAILED, faults(t));
        }
    }

    /** What hooks have thrown, each by itself. */
    private static Fault[] faults(Throwable t) {
        Throwable[] suppressed = t.getSuppressed();
        if (suppressed.length == 0) return new Fault[] {new Fault(t)};
        Fault[] out = new Fault[suppressed.length];
        for (int i = 0; i < out.length; i++) out[i] = new Fault(suppressed[i]);
        return out;
    }

    /** Reports errors that leave the process of no use, the first one as the reason, and ends it. */
    private IllegalStateException giveUp(String path, String header, int status, Fault... faults) throws IOException {
        for (Fault f : faults) log.error(f);
        connection.write(failure(path, faults[0], header));
        connection.read();
        System.exit(status);
        return new IllegalStateException(faults[0]);
    }

    private static byte[] failure(String path, Fault f, String header) {
        byte[] body = Json.write(f.document()).getBytes(StandardCharsets.UTF_8);
        return Connection.request("POST", path, "Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: " + header + "\r\n", body);
    }

    /** Serves invocations with the handlers in turn; returns the variables of an assignment. */
    private List<?> serve(Handler... handlers) throws IOException {
        byte[] out = NEXT;
        for (int n = 0; ; n++) {
            connection.write(out);
            Connection.Response r;
            do {
                r = connection.read();
                if (r.fields.containsKey("lambent-assignment")) return (List<?>) Json.parse(r.body);
                log.request(r.fields.get("lambda-runtime-aws-request-id"));
            } while (log.request() == null); // the answer to what was sent before "next" comes first
            String trace = r.fields.get("lambda-runtime-trace-id");
            if (trace != null && !concurrent) System.setProperty("com.amazonaws.xray.traceHeader", trace);
            String path = "invocation/" + log.request();
            byte[] answer;
            try {
                byte[] body = handlers[n % handlers.length].call(r.body, new Invocation(r.fields, log));
                answer = Connection.request("POST", path + "/response", "Content-Type: application/json\r\n", body);
            } catch (Fault f) {
                log.error(f);
                answer = failure(path + "/error", f, f.header());
                if (f.getCause() instanceof VirtualMachineError) {
                    connection.write(answer);
                    System.exit(1);
                }
            }
            System.out.flush();
            System.err.flush();
            out = Connection.join(answer, NEXT);
        }
    }
}
