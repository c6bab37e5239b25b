import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

/** The java function of the benchmark, and the program that does nothing to compare it with. */
public class Hello implements RequestHandler<Map<String, Object>, Map<String, Object>> {
    public static void main(String[] args) {
        System.out.println("hello");
    }

    @Override
    public Map<String, Object> handleRequest(Map<String, Object> event, Context context) {
        return Map.of("ok", true);
    }
}
