package com.amazonaws.services.lambda.crac;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The resources in the order of their registration. Before a snapshot the last one is told first, after it the first one. */
final class GlobalContext extends Context<Resource> {
    private final List<WeakReference<Resource>> resources = new ArrayList<>();

    @Override
    public synchronized void register(Resource resource) {
        resources.add(new WeakReference<>(resource));
    }

    private synchronized List<Resource> live() {
        List<Resource> out = new ArrayList<>();
        resources.removeIf(r -> r.get() == null);
        for (WeakReference<Resource> r : resources) {
            Resource resource = r.get();
            if (resource != null) out.add(resource);
        }
        return out;
    }

    @Override
    public void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
        CheckpointException failure = new CheckpointException();
        List<Resource> order = live();
        Collections.reverse(order);
        for (Resource r : order) {
            try {
                r.beforeCheckpoint(this);
            } catch (CheckpointException e) {
                add(failure, e);
            } catch (Exception e) {
                failure.addSuppressed(e);
            }
        }
        if (failure.getSuppressed().length > 0) throw failure;
        System.gc(); // what lies about would be part of the snapshot
    }

    @Override
    public void afterRestore(Context<? extends Resource> context) throws RestoreException {
        RestoreException failure = new RestoreException();
        for (Resource r : live()) {
            try {
                r.afterRestore(this);
            } catch (RestoreException e) {
                add(failure, e);
            } catch (Exception e) {
                failure.addSuppressed(e);
            }
        }
        if (failure.getSuppressed().length > 0) throw failure;
    }

    /** Adds what an exception of a context stands for, or itself if it is one of a resource. */
    private static void add(Exception failure, Exception e) {
        if (e.getSuppressed().length == 0) failure.addSuppressed(e);
        for (Throwable t : e.getSuppressed()) failure.addSuppressed(t);
    }
}
