import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** A function that means harm: it does what its event asks for, and answers with what it could do. */
public class Attacker implements RequestHandler<Map<String, Object>, List<String>> {
    /** Java has no system calls: Perl, which every Debian has, makes them. */
    private static final String PERL = "for (@ARGV) { my ($name, @call) = split / /; $_ = /^-?\\d+$/ ? $_ + 0 : $_ for @call;"
            + " print \"$name \", (syscall(shift @call, @call) == -1 ? $! + 0 : \"done\"), \"\\n\" }";

    /** Nor has it abstract sockets. */
    private static final String ABSTRACT = "use Socket; alarm 1; socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un(\"\\0\" . shift)) && sysread(S, $_, 1) || exit 1";

    private interface Attempt {
        boolean make(String arg) throws Exception;
    }

    private static List<String> could(List<String> args, Attempt attempt) {
        List<String> out = new ArrayList<>();
        for (String arg : args) {
            try {
                if (attempt.make(arg)) {
                    out.add(arg);
                }
            } catch (Exception e) {
                // could not
            }
        }
        return out;
    }

    @Override
    @SuppressWarnings("unchecked")
    public List<String> handleRequest(Map<String, Object> event, Context context) {
        List<String> args = event.get("Args") == null ? List.of() : (List<String>) event.get("Args");
        try {
            return act((String) event.get("Act"), args);
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<String> act(String act, List<String> args) throws IOException, InterruptedException {
        switch (act) {
            case "read":
                return could(args, path -> {
                    File f = new File(path);
                    if (f.isDirectory()) {
                        return f.list() != null && f.list().length > 0;
                    }
                    try (InputStream in = new FileInputStream(f)) {
                        return in.read() >= 0;
                    }
                });
            case "write":
                return could(args, path -> {
                    try (FileOutputStream out = new FileOutputStream(path)) {
                        out.write(1);
                    }
                    return true;
                });
            case "processes":
                return processes();
            case "signal":
                return could(args, pid -> new ProcessBuilder("/bin/sh", "-c", "kill -9 " + pid).start().waitFor() == 0);
            case "calls":
                return run(args, "/usr/bin/perl", "-e", PERL);
            case "connect":
                return could(args, Attacker::connect);
            case "forge":
                return forge(args);
            case "http":
                return http(args);
            case "spawn":
                new ProcessBuilder(args).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
                return List.of("spawned");
            case "sleep":
                Thread.sleep(3_600_000);
                return List.of();
            case "fork":
                return fork(args);
            case "memory":
                return memory();
            case "fill":
                return fill();
            case "files":
                return files();
            case "spin":
                for (int n = 0; n < 8; n++) {
                    Thread t = new Thread(Attacker::burn);
                    t.setDaemon(true);
                    t.start();
                }
                burn();
                return List.of();
            case "shout":
                byte[] line = ("noise ".repeat(10_000) + "\n").getBytes(StandardCharsets.US_ASCII);
                while (true) {
                    System.out.write(line, 0, line.length);
                }
            case "exit":
                Runtime.getRuntime().halt(3);
                return List.of();
            case "segfault":
                new ProcessBuilder("/bin/sh", "-c", "kill -SEGV " + ProcessHandle.current().pid()).start().waitFor();
                Thread.sleep(3_600_000);
                return List.of();
            default:
                return List.of("fine");
        }
    }

    private static List<String> processes() {
        List<String> out = new ArrayList<>();
        for (String name : new File("/proc").list((dir, n) -> n.matches("\\d+"))) {
            StringBuilder text = new StringBuilder(name);
            for (String part : new String[] {"cmdline", "environ"}) {
                try {
                    text.append(' ').append(new String(Files.readAllBytes(Path.of("/proc", name, part)), StandardCharsets.UTF_8).replace('\0', ' '));
                } catch (IOException e) {
                    // not ours
                }
            }
            out.add(text.toString());
        }
        return out;
    }

    private static List<String> run(List<String> args, String... program) throws IOException {
        List<String> command = new ArrayList<>(Arrays.asList(program));
        command.addAll(args);
        Process p = new ProcessBuilder(command).start();
        return Arrays.asList(new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim().split("\n"));
    }

    private static boolean connect(String address) throws IOException, InterruptedException {
        if (address.startsWith("@")) {
            return new ProcessBuilder("/usr/bin/perl", "-e", ABSTRACT, address.substring(1)).start().waitFor() == 0;
        }
        int colon = address.lastIndexOf(':');
        try (Socket s = new Socket()) {
            s.connect(new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))), 1000);
            s.setSoTimeout(1000);
            s.getOutputStream().write("GET / HTTP/1.0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            return s.getInputStream().read() >= 0;
        }
    }

    private static List<String> forge(List<String> ids) throws IOException {
        List<String> out = new ArrayList<>();
        for (String id : ids) {
            for (String end : new String[] {"response", "error"}) {
                URL url = new URL("http://" + System.getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/" + id + "/" + end);
                HttpURLConnection c = (HttpURLConnection) url.openConnection();
                c.setDoOutput(true);
                c.getOutputStream().write('{');
                c.getOutputStream().write('}');
                out.add(end + " " + c.getResponseCode());
            }
        }
        return out;
    }

    private static List<String> http(List<String> args) throws IOException {
        List<String> out = new ArrayList<>();
        for (String path : args) {
            HttpURLConnection c = (HttpURLConnection) new URL(System.getenv("AWS_ENDPOINT_URL") + path).openConnection();
            out.add(path + " " + c.getResponseCode());
        }
        return out;
    }

    private static List<String> fork(List<String> args) {
        for (int n = 0; n < 20_000; n++) {
            try {
                new ProcessBuilder(args).start();
            } catch (IOException e) {
                return List.of("refused after " + n + ": " + e.getMessage());
            }
        }
        return List.of("never refused");
    }

    /** Outside of the heap, which is smaller than what the function may use. */
    private static List<String> memory() {
        List<Object> kept = new ArrayList<>();
        for (int n = 0; n < 256; n++) {
            java.nio.ByteBuffer b = java.nio.ByteBuffer.allocateDirect(16 << 20);
            for (int i = 0; i < b.capacity(); i += 4096) {
                b.put(i, (byte) 1);
            }
            kept.add(b);
        }
        return List.of("allocated " + kept.size());
    }

    private static List<String> fill() throws IOException {
        byte[] block = new byte[1 << 20];
        FileOutputStream f = new FileOutputStream("/tmp/fill");
        for (int n = 0; n < 4096; n++) {
            try {
                f.write(block);
            } catch (IOException e) {
                f.close();
                return List.of("full after " + n + " MiB: " + e.getMessage());
            }
        }
        return List.of("never full");
    }

    private static List<String> files() throws IOException {
        List<InputStream> kept = new ArrayList<>();
        for (int n = 0; n < 100_000; n++) {
            try {
                kept.add(new FileInputStream("/dev/null"));
            } catch (IOException e) {
                for (InputStream in : kept) {
                    in.close();
                }
                return List.of("refused after " + n + ": " + e.getMessage());
            }
        }
        return List.of("never refused");
    }

    private static void burn() {
        while (true) {
            Thread.onSpinWait();
        }
    }
}
