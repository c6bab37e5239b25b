package lambent.runtime;

import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** One kept connection to the Runtime API: the descriptor that the process inherits, or one over TCP. */
final class Connection {
    private static final String PREFIX = "/2018-06-01/runtime/";

    private final InputStream in;
    private final OutputStream out;
    private byte[] buffer = new byte[16 << 10];
    private int from;
    private int to;

    /** A response: its fields by names in lower case, and its body. */
    static final class Response {
        final Map<String, String> fields = new HashMap<>();
        byte[] body;
    }

    Connection(String inherited) throws Exception {
        if (inherited != null) {
            Constructor<FileDescriptor> made = FileDescriptor.class.getDeclaredConstructor(int.class);
            made.setAccessible(true);
            FileDescriptor fd = made.newInstance(Integer.parseInt(inherited));
            in = new FileInputStream(fd);
            out = new FileOutputStream(fd);
            return;
        }
        String[] at = System.getenv("AWS_LAMBDA_RUNTIME_API").split(":");
        Socket socket = new Socket(at[0], at.length > 1 ? Integer.parseInt(at[1]) : 80);
        socket.setTcpNoDelay(true);
        in = socket.getInputStream();
        out = socket.getOutputStream();
    }

    static byte[] request(String method, String path, String fields, byte[] body) {
        byte[] head = (method + " " + PREFIX + path + " HTTP/1.1\r\nHost: lambda\r\n" + fields + "Content-Length: " + body.length + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
        return join(head, body);
    }

    static byte[] join(byte[] a, byte[] b) {
        byte[] all = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, all, a.length, b.length);
        return all;
    }

    void write(byte[] data) throws IOException {
        out.write(data);
    }

    /** Reads one response. The end of the connection is the end of the platform. */
    Response read() throws IOException {
        int end;
        int scanned = from;
        while ((end = headEnd(scanned)) < 0) {
            int offset = Math.max(to - 3, from) - from;
            fill(1);
            scanned = from + offset;
        }
        Response r = new Response();
        String[] lines = new String(buffer, from, end - from, StandardCharsets.ISO_8859_1).split("\r\n");
        for (int i = 1; i < lines.length; i++) {
            int colon = lines[i].indexOf(':');
            r.fields.put(lines[i].substring(0, colon).toLowerCase(Locale.ROOT), lines[i].substring(colon + 1).trim());
        }
        from = end + 4;
        int length = Integer.parseInt(r.fields.getOrDefault("content-length", "0"));
        if (to - from < length) fill(length - (to - from));
        r.body = Arrays.copyOfRange(buffer, from, from + length);
        from += length;
        return r;
    }

    private int headEnd(int start) {
        for (int i = start; i + 3 < to; i++) {
            if (buffer[i] == '\r' && buffer[i + 1] == '\n' && buffer[i + 2] == '\r' && buffer[i + 3] == '\n') return i;
        }
        return -1;
    }

    /** Reads at least n bytes more. */
    private void fill(int n) throws IOException {
        int have = to - from;
        byte[] target = have + n > buffer.length ? new byte[Math.max(2 * buffer.length, have + n)] : buffer;
        System.arraycopy(buffer, from, target, 0, have);
        buffer = target;
        from = 0;
        to = have;
        while (n > 0) {
            int got = in.read(buffer, to, buffer.length - to);
            if (got < 0) throw new EOFException("the platform has gone away");
            to += got;
            n -= got;
        }
    }
}
