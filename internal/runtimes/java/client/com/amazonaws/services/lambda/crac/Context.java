package com.amazonaws.services.lambda.crac;

/** Resources that are told of a snapshot together. It is one itself. */
public abstract class Context<R extends Resource> implements Resource {
    protected Context() {}

    @Override
    public abstract void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException;

    @Override
    public abstract void afterRestore(Context<? extends Resource> context) throws RestoreException;

    /** Adds a resource, which the context does not keep alive. */
    public abstract void register(R resource);
}
