package lambent.runtime;

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

    private final Connection connection;
    private final Log log = new Log();

    private Main(Connection connection) {
        this.connection = connection;
    }

    public static void main(String[] args) throws Exception {
        boolean parked = Environment.take("LAMBENT_PARKED") != null;
        Main main = new Main(new Connection(Environment.take("LAMBENT_RUNTIME_FD")));
        try {
            if (parked) main.park();
            main.log.configure();
            main.serve(main.load());
        } catch (EOFException e) {
            System.exit(0);
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
        log.requestId = null;
        System.clearProperty("com.amazonaws.xray.traceHeader");
    }

    private Handler load() throws IOException {
        try {
            File root = new File(System.getenv().getOrDefault("LAMBDA_TASK_ROOT", "/var/task"));
            ClassLoader loader = Handler.loader(root, new File(root, "lib"), new File("/opt/java/lib"));
            Thread.currentThread().setContextClassLoader(loader);
            return Handler.load(loader, String.valueOf(System.getenv("_HANDLER")));
        } catch (Fault f) {
            log.error(f);
            connection.write(failure("init/error", f));
            connection.read();
            System.exit(1);
            throw new IllegalStateException(f);
        }
    }

    private static byte[] failure(String path, Fault f) {
        byte[] body = Json.write(f.document()).getBytes(StandardCharsets.UTF_8);
        return Connection.request("POST", path, "Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: " + f.header() + "\r\n", body);
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
                log.requestId = r.fields.get("lambda-runtime-aws-request-id");
            } while (log.requestId == null); // the answer to what was sent before "next" comes first
            String trace = r.fields.get("lambda-runtime-trace-id");
            if (trace != null) System.setProperty("com.amazonaws.xray.traceHeader", trace);
            String path = "invocation/" + log.requestId;
            byte[] answer;
            try {
                byte[] body = handlers[n % handlers.length].call(r.body, new Invocation(r.fields, log));
                answer = Connection.request("POST", path + "/response", "Content-Type: application/json\r\n", body);
            } catch (Fault f) {
                log.error(f);
                answer = failure(path + "/error", f);
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
