package com.amazonaws.services.lambda.crac;

/** Tells that resources could not go on after a snapshot was restored; what they have thrown is suppressed in it. */
public class RestoreException extends Exception {
    private static final long serialVersionUID = 1;

    public RestoreException() {}

    public RestoreException(String message) {
        super(message);
    }
}
