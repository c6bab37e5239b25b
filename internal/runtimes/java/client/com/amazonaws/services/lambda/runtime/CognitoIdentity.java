package com.amazonaws.services.lambda.runtime;

/** The caller as Amazon Cognito knows it. */
public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
