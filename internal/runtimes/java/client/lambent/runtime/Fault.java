package lambent.runtime;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a function or its runtime failed with, as the platform is told of it. */
final class Fault extends Exception {
    private static final long serialVersionUID = 1;
    private static final int MAX_CAUSES = 16;

    private final String type;

    Fault(String type, String message) {
        super(message);
        this.type = type;
    }

    Fault(Throwable cause) {
        super(cause);
        this.type = null;
    }

    String type() {
        return type != null ? type : getCause().getClass().getName();
    }

    /** The header by which the platform classifies the error. */
    String header() {
        return type != null && type.startsWith("Runtime.") ? type : "Function." + type().replaceAll(".*[.$]", "");
    }

    Map<String, Object> document() {
        if (type == null) return describe(getCause(), 0);
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("errorMessage", getMessage());
        out.put("errorType", type);
        return out;
    }

    private static Map<String, Object> describe(Throwable t, int depth) {
        Map<String, Object> out = new LinkedHashMap<>();
        if (t.getMessage() != null) out.put("errorMessage", t.getMessage());
        out.put("errorType", t.getClass().getName());
        out.put("stackTrace", trace(t));
        if (t.getCause() != null && t.getCause() != t && depth < MAX_CAUSES) out.put("cause", describe(t.getCause(), depth + 1));
        return out;
    }

    /** The frames of the function, without those by which the runtime has called it. */
    private static List<String> trace(Throwable t) {
        List<String> out = new ArrayList<>();
        for (StackTraceElement e : t.getStackTrace()) {
            String c = e.getClassName();
            if (c.startsWith("lambent.runtime.")) break;
            if (!c.startsWith("jdk.internal.reflect.") && !c.startsWith("java.lang.reflect.Method")) out.add(e.toString());
        }
        return out;
    }

    /** The text for the log. */
    String text() {
        StringBuilder b = new StringBuilder();
        b.append(getCause() == null || type != null ? getMessage() : getCause().getMessage()).append(": ").append(type());
        if (type != null) return b.toString();
        b.append('\n').append(getCause());
        int depth = 0;
        for (Throwable t = getCause(); t != null && depth < MAX_CAUSES; t = t.getCause(), depth++) {
            if (depth > 0) b.append("\nCaused by: ").append(t);
            for (String frame : trace(t)) b.append("\n\tat ").append(frame);
        }
        return b.toString();
    }
}
