import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

public class Hello implements RequestHandler<Map<String, Object>, Map<String, Object>> {
  @Override
  public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
    if ("fail".equals(event.get("act"))) throw new IllegalStateException("no luck");
    return Map.of("hello", event.get("name") + " " + context.getAwsRequestId() + " " + (context.getRemainingTimeInMillis() > 0));
  }
}
