import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The functions of the java cases. */
public class Handlers {
    /** Map in, map out; context, log, environment and working directory. */
    public static class Values implements RequestHandler<Map<String, Object>, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
            context.getLogger().log("first\nsecond");
            context.getLogger().log("important", LogLevel.WARN);
            Map<String, Object> out = new LinkedHashMap<>();
            out.put("event", event);
            out.put("id", context.getAwsRequestId());
            out.put("name", context.getFunctionName());
            out.put("memory", context.getMemoryLimitInMB());
            out.put("time", context.getRemainingTimeInMillis() > 0);
            out.put("env", System.getenv("WHO"));
            out.put("left", System.getenv("LAMBENT_RUNTIME_FD"));
            out.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
            out.put("dir", new java.io.File("x").getAbsolutePath());
            out.put("tmp", List.of(new java.io.File("/tmp").list()));
            return out;
        }
    }

    /** What children of the function get to see of its environment. */
    public Map<String, String> child(Map<String, Object> event) throws IOException {
        Map<String, String> out = new TreeMap<>();
        Process p = new ProcessBuilder("/usr/bin/env").start();
        for (String line : new String(p.getInputStream().readAllBytes()).split("\n")) {
            if (line.startsWith("WHO=") || line.startsWith("LAMBENT")) out.put(line.split("=")[0], line.split("=", 2)[1]);
        }
        return out;
    }

    /** An attempt at something that must fail. */
    private interface Attempt { boolean run() throws Exception; }

    /** Tries to reach the host, other processes and the network; answers with what could be done. */
    public List<String> hostile(Map<String, Object> event) {
        Map<String, Attempt> attempts = new LinkedHashMap<>();
        for (String p : List.of("/etc/shadow", "/root/.bashrc", "/proc/1/environ", "/proc/1/mem", "/dev/kmsg"))
            attempts.put("read " + p, () -> java.nio.file.Files.newInputStream(java.nio.file.Path.of(p)).read() >= 0);
        for (String p : List.of("/root", "/home", "/sys/kernel", "/proc/1/root"))
            attempts.put("list " + p, () -> new java.io.File(p).list() != null);
        for (String p : List.of("/var/task/x", "/var/runtime/x", "/opt/x", "/etc/hosts", "/tmp/own"))
            attempts.put("write " + p, () -> new java.io.FileOutputStream(p) != null);
        for (String p : List.of("mount -t tmpfs x /tmp", "unshare -U true", "chroot /tmp", "kill -0 -1"))
            attempts.put(p, () -> new ProcessBuilder(p.split(" ")).start().waitFor() == 0);
        attempts.put("see others", () -> ProcessHandle.allProcesses().anyMatch(h -> h.pid() > 2 && h.pid() != ProcessHandle.current().pid()));
        attempts.put("metadata", () -> {
            try (java.net.Socket s = new java.net.Socket("169.254.169.254", 80)) {
                s.setSoTimeout(2000);
                return s.getInputStream().read() >= 0;
            }
        });
        List<String> done = new java.util.ArrayList<>();
        for (Map.Entry<String, Attempt> a : attempts.entrySet()) {
            try {
                if (a.getValue().run()) done.add(a.getKey());
            } catch (Exception e) {
                continue;
            }
        }
        return done;
    }

    /** A color. */
    public enum Color { RED, GREEN }

    /** A bean. */
    public static class Order {
        private String id;
        private int count;
        private List<Item> items;
        private Color color;
        private Double price;

        public String getId() { return id; }
        public void setId(String id) { this.id = id; }
        public int getCount() { return count; }
        public void setCount(int count) { this.count = count; }
        public List<Item> getItems() { return items; }
        public void setItems(List<Item> items) { this.items = items; }
        public Color getColor() { return color; }
        public void setColor(Color color) { this.color = color; }
        public Double getPrice() { return price; }
        public void setPrice(Double price) { this.price = price; }
    }

    /** A nested bean. */
    public static class Item {
        public String name;
        public long amount;
    }

    public Order order(Order in, Context context) {
        in.setCount(in.getCount() + in.getItems().size());
        in.getItems().get(0).amount++;
        return in;
    }

    /** Bytes in, bytes out. */
    public static class Streams implements RequestStreamHandler {
        @Override
        public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
            out.write('[');
            in.transferTo(out);
            out.write(']');
        }
    }

    public static int length(List<String> in) { return in.size(); }

    /** Fails. */
    public static class Fails implements RequestHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, Context context) {
            throw new IllegalStateException("no luck", new RuntimeException("deeper"));
        }
    }

    /** Cannot be made. */
    public static class Broken implements RequestHandler<Object, Object> {
        static { if (true) throw new IllegalArgumentException("static"); }

        @Override
        public Object handleRequest(Object event, Context context) { return null; }
    }

    /** Registers resources as the library org.crac does: by names, and by a proxy. */
    public static class Snapshot implements RequestHandler<Map<String, Object>, String> {
        private static final List<String> TOLD = new java.util.ArrayList<>();
        private static final List<Object> KEPT = new java.util.ArrayList<>();

        static {
            register("a");
            register("b");
        }

        static void register(String name) {
            try {
                String p = System.getProperty("org.crac.Core.Compat");
                Class<?> type = Class.forName(p + ".Resource");
                Object global = Class.forName(p + ".Core").getMethod("getGlobalContext").invoke(null);
                Object resource = java.lang.reflect.Proxy.newProxyInstance(Snapshot.class.getClassLoader(), new Class<?>[] {type}, (proxy, method, args) -> {
                    if (method.getName().equals("hashCode")) return name.hashCode();
                    System.out.println("told " + name + " " + method.getName());
                    if (method.getName().equals(System.getenv("FAIL"))) throw new IllegalStateException("not " + name);
                    return null;
                });
                Class.forName(p + ".Context").getMethod("register", type).invoke(global, resource);
                KEPT.add(resource);
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public String handleRequest(Map<String, Object> event, Context context) {
            return System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE");
        }
    }

    /** Answers when three invocations are in it. */
    public static class Together implements RequestHandler<Map<String, Object>, String> {
        private final java.util.concurrent.CyclicBarrier barrier = new java.util.concurrent.CyclicBarrier(3);

        @Override
        public String handleRequest(Map<String, Object> event, Context context) {
            try {
                barrier.await();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            context.getLogger().log("together", LogLevel.INFO);
            return barrier.getParties() + " at once";
        }
    }
}
