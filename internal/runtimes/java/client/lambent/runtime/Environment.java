package lambent.runtime;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The environment of this process, which Java offers no way to change.
 *
 * <p>It exists twice. System.getenv reads a map of the JDK's own, which is changed by reflection. Child processes and native code have that of the C library: an array
 * of strings where the kernel has put them. A parked process is started with variables for nothing but their room (LAMBENT_ROOM_*), over which those
 * of the function are written.
 */
final class Environment {
    private static final int START_FIELD = 50; // env_start, as proc(5) counts

    private Environment() {}

    @SuppressWarnings("unchecked")
    private static Map<Object, Object> map() throws ReflectiveOperationException {
        Field f = Class.forName("java.lang.ProcessEnvironment").getDeclaredField("theEnvironment");
        f.setAccessible(true);
        return (Map<Object, Object>) f.get(null);
    }

    private static Object entry(String kind, String text) throws ReflectiveOperationException {
        Method m = Class.forName("java.lang.ProcessEnvironment$" + kind).getDeclaredMethod("valueOf", String.class);
        m.setAccessible(true);
        return m.invoke(null, text);
    }

    /** Makes the variables the whole environment. */
    static void replace(List<String> variables) throws ReflectiveOperationException, IOException {
        Map<Object, Object> map = map();
        map.clear();
        for (String v : variables) {
            int at = v.indexOf('=');
            map.put(entry("Variable", v.substring(0, at)), entry("Value", v.substring(at + 1)));
        }
        overwrite(variables);
    }

    /** Takes a variable away and returns what it was; null if there was none. */
    static String take(String name) throws ReflectiveOperationException, IOException {
        String value = System.getenv(name);
        if (value == null) return null;
        map().remove(entry("Variable", name));
        byte[] all = Files.readAllBytes(Path.of("/proc/self/environ"));
        try (RandomAccessFile memory = new RandomAccessFile("/proc/self/mem", "rw")) {
            for (int at = 0, end; at < all.length; at = end + 1) {
                end = end(all, at);
                if (text(all, at, end).startsWith(name + "=")) write(memory, start() + at, new byte[0], end - at);
            }
        }
        return value;
    }

    private static int end(byte[] all, int at) {
        while (at < all.length && all[at] != 0) at++;
        return at;
    }

    private static String text(byte[] all, int at, int end) {
        return new String(all, at, end - at, StandardCharsets.UTF_8);
    }

    /** Writes the variables over the strings of the C library. What is there already stays where it is. */
    private static void overwrite(List<String> variables) throws IOException {
        byte[] all = Files.readAllBytes(Path.of("/proc/self/environ"));
        List<String> missing = new ArrayList<>(variables);
        List<int[]> free = new ArrayList<>(); // offset and room
        for (int at = 0, end; at < all.length; at = end + 1) {
            end = end(all, at);
            if (end > at && !missing.remove(text(all, at, end))) free.add(new int[] {at, end - at});
        }
        long base = start();
        try (RandomAccessFile memory = new RandomAccessFile("/proc/self/mem", "rw")) {
            for (String v : missing) {
                byte[] text = v.getBytes(StandardCharsets.UTF_8);
                int[] slot = null;
                for (int[] f : free) if (f[1] >= text.length && (slot == null || f[1] < slot[1])) slot = f;
                if (slot == null) throw new IOException("no room for a variable of " + text.length + " bytes");
                free.remove(slot);
                write(memory, base + slot[0], text, slot[1]);
            }
            for (int[] f : free) write(memory, base + f[0], new byte[0], f[1]);
        }
    }

    /** Writes a text over a string, and zeros over the rest of it, which would look like another string otherwise. */
    private static void write(RandomAccessFile memory, long at, byte[] text, int room) throws IOException {
        memory.seek(at);
        memory.write(Arrays.copyOf(text, room));
    }

    private static long start() throws IOException {
        String stat = Files.readString(Path.of("/proc/self/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return Long.parseLong(fields[START_FIELD - 3]);
    }
}
