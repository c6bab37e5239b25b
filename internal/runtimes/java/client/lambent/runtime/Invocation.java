package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The context of one invocation. */
final class Invocation implements Context {
    private final Map<String, String> fields;
    private final Log log;

    Invocation(Map<String, String> fields, Log log) {
        this.fields = fields;
        this.log = log;
    }

    private Map<?, ?> document(String field) {
        String text = fields.get(field);
        return text == null || text.isEmpty() ? null : (Map<?, ?>) Json.parse(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String text(Map<?, ?> document, String name) {
        Object value = document == null ? null : document.get(name);
        return value == null ? null : value.toString();
    }

    @Override
    public String getAwsRequestId() {
        return fields.get("lambda-runtime-aws-request-id");
    }

    @Override
    public String getLogGroupName() {
        return System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public String getFunctionName() {
        return System.getenv("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getInvokedFunctionArn() {
        return fields.get("lambda-runtime-invoked-function-arn");
    }

    @Override
    public CognitoIdentity getIdentity() {
        Map<?, ?> document = document("lambda-runtime-cognito-identity");
        return new CognitoIdentity() {
            @Override
            public String getIdentityId() {
                return text(document, "cognitoIdentityId");
            }

            @Override
            public String getIdentityPoolId() {
                return text(document, "cognitoIdentityPoolId");
            }
        };
    }

    @Override
    public ClientContext getClientContext() {
        Map<?, ?> document = document("lambda-runtime-client-context");
        if (document == null) return null;
        Map<?, ?> client = (Map<?, ?>) document.get("client");
        return new ClientContext() {
            @Override
            public Client getClient() {
                return client == null ? null : new Application(client);
            }

            @Override
            public Map<String, String> getCustom() {
                return Handler.strings(document.get("custom"));
            }

            @Override
            public Map<String, String> getEnvironment() {
                return Handler.strings(document.get("env"));
            }
        };
    }

    private static final class Application implements Client {
        private final Map<?, ?> document;

        Application(Map<?, ?> document) {
            this.document = document;
        }

        @Override
        public String getInstallationId() {
            return text(document, "installation_id");
        }

        @Override
        public String getAppTitle() {
            return text(document, "app_title");
        }

        @Override
        public String getAppVersionName() {
            return text(document, "app_version_name");
        }

        @Override
        public String getAppVersionCode() {
            return text(document, "app_version_code");
        }

        @Override
        public String getAppPackageName() {
            return text(document, "app_package_name");
        }
    }

    @Override
    public int getRemainingTimeInMillis() {
        long left = Long.parseLong(fields.getOrDefault("lambda-runtime-deadline-ms", "0")) - System.currentTimeMillis();
        return (int) Math.max(0, Math.min(left, Integer.MAX_VALUE));
    }

    @Override
    public int getMemoryLimitInMB() {
        String memory = System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
        return memory == null ? 0 : Integer.parseInt(memory);
    }

    @Override
    public LambdaLogger getLogger() {
        return log;
    }

    @Override
    public String getTenantId() {
        return fields.get("lambda-runtime-aws-tenant-id");
    }

    @Override
    public String getXrayTraceId() {
        return fields.get("lambda-runtime-trace-id");
    }
}
