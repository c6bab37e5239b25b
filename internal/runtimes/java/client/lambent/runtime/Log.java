package lambent.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/** The function's log. What belongs to one event is one line: lines within are separated by CR. */
final class Log implements LambdaLogger {
    private boolean json;
    private LogLevel least = LogLevel.UNDEFINED;
    private volatile String requestId;
    private final ThreadLocal<String> own = new InheritableThreadLocal<>();
    private boolean concurrent;

    /** Keeps the request that is being answered by each thread, and those that it starts, instead of one for all. */
    void separate() {
        concurrent = true;
    }

    void request(String id) {
        if (concurrent) own.set(id);
        else requestId = id;
    }

    String request() {
        return concurrent ? own.get() : requestId;
    }

    void configure() {
        json = "JSON".equals(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
        String level = System.getenv("AWS_LAMBDA_LOG_LEVEL");
        least = level == null ? LogLevel.UNDEFINED : LogLevel.fromString(level);
    }

    @Override
    public void log(String message, LogLevel level) {
        if (level != LogLevel.UNDEFINED && level.compareTo(least) < 0) return;
        if (json) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("timestamp", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
            entry.put("message", message);
            entry.put("level", (level == LogLevel.UNDEFINED ? LogLevel.INFO : level).name());
            entry.put("AWSRequestId", request());
            event(Json.write(entry));
        } else {
            event(level == LogLevel.UNDEFINED ? message : "[" + level + "] " + message);
        }
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(new String(message, StandardCharsets.UTF_8), LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        log(new String(message, StandardCharsets.UTF_8), level);
    }

    void error(Fault fault) {
        if (!json) {
            event(fault.text());
            return;
        }
        log(fault.text(), LogLevel.ERROR);
    }

    private void event(String text) {
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == '\n') end--;
        byte[] line = (text.substring(0, end).replace('\n', '\r') + "\n").getBytes(StandardCharsets.UTF_8);
        System.out.write(line, 0, line.length);
        System.out.flush();
    }
}
