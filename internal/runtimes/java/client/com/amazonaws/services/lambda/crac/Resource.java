package com.amazonaws.services.lambda.crac;

/** Something that has to be told of a snapshot: before it is taken, and after it was restored. */
public interface Resource {
    void afterRestore(Context<? extends Resource> context) throws Exception;

    void beforeCheckpoint(Context<? extends Resource> context) throws Exception;
}
