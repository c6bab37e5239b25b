// Package lambda is AWS Lambda: functions, their versions and aliases, and their invocation in sandboxes of this machine.
//
// # Records
//
// A function is one record, with its unpublished version ($LATEST) inside; published versions, aliases, resource policies, URLs, provisioned
// concurrency and asynchronous settings are records of their own, see keys.go. So are layers and code signing configurations. A zip file is a
// blob; what it unpacks to is a folder of the code store (package runtimes/code), which can be deleted and is filled again from the blob when it
// is needed. A row for each version of a function or a layer that uses a zip file tells that the blob is live: a layer version that is deleted
// stays with the functions that have it.
//
// A version's layers are laid over each other once, in a folder of the code store, and mounted as /opt.
//
// The code of a container image (image.go) is a folder of the image store (package image), named by the image's digest. One in a registry is resolved to its digest by the
// call that names it, and pulled later, if it is not there (imagepull.go): a record under ("lambda.image") account region function number says that a version waits for it, in the state
// Pending, or as function.Next where the unpublished version is updated, which is used unchanged until then. The puller follows the records. A tar file in a bucket
// (s3://bucket/key), which is how the command line brings images of files, is read within the call. If an image's folder is lost, one from a registry is pulled
// again by its digest; one of a file must be given again. Images that nothing uses are swept while the platform runs.
//
// Every change of a version gives it a new revision id. Execution environments belong to a revision: a change makes new invocations start
// new environments, and the idle ones of the old revision are ended. A change of a policy or of tags gives what it belongs to a new revision
// id in the API (version.OuterRevision), and leaves the environments alone. What is answered to a create or an update is the version as it is "being prepared",
// with a revision id of its own, as AWS does it; the next call finds it ready.
//
// Settings are checked before the transaction, because the checks call other services, and applied inside of it (settings.go, Lambda.change).
//
// What an invocation needs of the store (snapshot.go) is kept in memory, decoded, until a commit changes a record that it is made of.
//
// # Invocations
//
// An invocation takes a slot (slots.go: the account's and the function's concurrency), then an environment that waits for work, or a new one
// (pool.go, worker.go), hands it the event and reads its answer. The caller's goroutine does all of that. An environment has one invocation at a
// time. It is ended after an answer that AWS ends it for (a timeout, a crash), when it has been idle for long, when its role credentials run
// out, or when the machine's bound on environments is reached and another function needs the place.
//
// Provisioned environments belong to a version, whatever name it is invoked by. Their records lie under ("lambda.provisioned") account region function
// qualifier; the provisioner (provisioner.go) follows them with one watch, and keeps as many environments initialised as they ask for (allotment.go). Nothing
// about them is kept but the records: after a restart they are made again. Invocations that they cover do not count against reserved or unreserved concurrency.
//
// SnapStart (snapstart.go) is not a copy of a process's memory: when a version is published its function is initialised, its hooks for the time before a
// snapshot run, and the environment waits. That environment is the snapshot; it is restored once, when an invocation needs one, and another is made. The
// records lie under ("lambda.snapstart") account region function number; the snapshotter (snapshotter.go) follows them, makes a version active
// when its first snapshot is there, and keeps to the memory that it is given. Snapshots do not outlive the platform, and are made again after a start. A version
// that is not invoked for fourteen days is inactive then, without snapshots, until an invocation wakes it up (snapidle.go). Since each
// is initialised by itself, what a function draws by chance is not the same in all of them. The snapshotter also keeps environments of container images that are started
// again and again, initialised ahead of need: nothing else can boot the language that is in an image.
//
// A function that isolates its tenants (tenant.go) is invoked with the id of one, which is part of the key of its environments: each serves one tenant alone.
//
// A version on a capacity provider (capacity.go, managed.go) has environments that take several invocations at a time. The records of such versions lie under
// ("lambda.managed") account region function number; fleets (fleet.go) follow them. There is one machine, which stands for every provider's instances: what
// a provider bounds are the processors that its versions' environments count as. The environments are sandboxes like all others. $LATEST.PUBLISHED is a version with the key of
// the number 0, and is published again and again; the environments of what it was before end with their last invocation.
//
// A version that is debugged (debug.go) has one environment with its language's debugger, which takes its invocations one at a time and without limits of
// time, for as long as the request that has opened the session. The last events are kept in memory for those who replay them (recorder.go). Tags make
// the service treat a function worse than it needs to (rehearsal.go).
//
// Function URLs (plane.go) take HTTP requests by host or by path, prove and admit their caller, and invoke the function with an event in the
// payload format 2.0, which package httpevent shares with HTTP APIs.
//
// Asynchronous invocations are durable jobs (async.go), written in the caller's transaction by [Lambda.EnqueueAsync]; permissions of the source
// are checked when the job runs. Function errors are tried again twice, after one and two minutes, with the same request id; throttled ones
// until their event is six hours old. A function's queued events run side by side in a number that grows steadily (ramp.go), so that a burst does not
// boot more environments at once than the machine can. The end of an event and its deliveries to destinations and dead-letter queues (destination.go) are one commit.
//
// Every invocation carries a tracing header whose lineage counts how often an event has come back to a function (lineage.go); a loop is ended.
//
// # Metrics
//
// What becomes of invocations and events is counted (metrics.go) under the function, its version or alias, and all functions together. The meters of an
// invocation are part of its snapshot.
//
// # Durable functions
//
// A function with a DurableConfig is not run once by an invocation: that begins an execution (durable.go), which package durable keeps and drives. A caller that
// waits gets its end, an event is answered when the execution has begun, in the transaction that takes the event. What the execution runs are calls like any
// other, with the envelope as their event; call.replayed tells them apart. What becomes of an execution is told to the default event bus, in the transaction in which it begins or ends.
//
// # Event source mappings
//
// A mapping is a record (eventsource.go) that the runner (runner.go) follows: one goroutine a mapping starts and stops the worker that reads its
// source, package mapping, and writes the state that is reached. The records lie under ("lambda.mapping") account region uuid, so that one watch
// covers them; the last processing results lie apart, under ("lambda.result") uuid. Functions are run for mappings without asking their resource policy: Lambda reads the source for them, with their role.
//
// # What it is not, yet
//
// No file systems, customer keys. Each
// is refused by name. The subnets and security groups of a VPC must be there, and stay data: no traffic goes through them.
// Code signatures are not verified; see signingConfig for what follows.
//
// # Locks
//
// news.mu guards its channel; snapshotter.mu the tables of snapshots; imagePuller.mu those of pulls; fleets.mu the tables of managed environments (held while sessions are asked for their idle workers); roleCredentials.mu one set of credentials (and is held while it is renewed); debugSessions.mu the table of sessions; recorder.mu the ring of events; runner.mu guards the table of mappings; slots.mu guards counters; pools.mu guards the tables of environments; logWriter.mu guards one environment's log. They are never held
// together, nor during I/O, except that logWriter.mu is held while lines are handed to the log sink, which keeps them in order.
package lambda
