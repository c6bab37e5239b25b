package com.amazonaws.services.lambda.crac;

/** Tells that resources could not be prepared for a snapshot; what they have thrown is suppressed in it. */
public class CheckpointException extends Exception {
    private static final long serialVersionUID = 1;

    public CheckpointException() {}

    public CheckpointException(String message) {
        super(message);
    }
}
