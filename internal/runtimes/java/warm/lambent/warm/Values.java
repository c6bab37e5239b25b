package lambent.warm;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.List;
import java.util.Map;

/** What a parked process runs: the code paths of ordinary handlers. */
public class Values implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    @Override
    public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        context.getLogger().log("parked " + context.getAwsRequestId() + " " + context.getRemainingTimeInMillis());
        System.out.println("parked");
        return Map.of("statusCode", 200, "headers", Map.of("Content-Type", "application/json"), "body", String.valueOf(event), "list", List.of(1, 2.5, true));
    }

    public Event bean(Event event, Context context) {
        return event;
    }

    /** A bean. */
    public static class Event {
        private String rawPath;
        private Map<String, String> headers;
        private boolean encoded;

        public String getRawPath() {
            return rawPath;
        }

        public void setRawPath(String rawPath) {
            this.rawPath = rawPath;
        }

        public Map<String, String> getHeaders() {
            return headers;
        }

        public void setHeaders(Map<String, String> headers) {
            this.headers = headers;
        }

        public boolean isEncoded() {
            return encoded;
        }

        public void setEncoded(boolean encoded) {
            this.encoded = encoded;
        }
    }
}
