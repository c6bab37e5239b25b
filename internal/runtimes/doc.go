// Package runtimes turns a function's runtime identifier, such as "nodejs22.x" or "provided.al2023", into a process that
// answers invocations.
//
// A [Catalog] knows the identifiers of AWS, finds the language runtimes that are installed on this machine, and unpacks Lambent's
// own runtime clients (clients/, embedded) where cells can be given them. [Launcher.Start] puts a runtime, a function's code and its
// environment together into a sandbox cell and serves the Runtime API to it (package rapi); the result is an
// [Environment]: what AWS calls an execution environment. What invokes it, how many there are and what becomes of its log is the business of
// the Lambda service. Package code keeps the unpacked code.
//
// # Parked cells
//
// A [Launcher] hides the boot of the languages: it parks cells in which a runtime of ours has booted, answered events of the platform's own, and waits.
// An assignment attaches the function's code, sets the cell's limits, and sends the function's variables as the answer to the runtime's "next"; the
// client takes them over, loads the handler and asks again. For programs that functions bring, also in images, and for functions that set variables which a
// runtime reads only when it boots (NODE_OPTIONS, LD_PRELOAD and the like), cells are held just before the program is run. After a function of the latter sort has been
// started twice, cells are booted with its variables and kept for it alone, unless these make its runtime run files of the function's. Nothing else of a
// function is in a parked cell; an assigned one serves one version of one function until it ends. A function cannot tell a parked cell from a
// fresh one: a test compares what it sees.
//
// Pools are made by demand, one for each kind (runtime, heap size, addresses of the platform), and bounded in cells and in memory. Launcher.mu guards
// the pools and is never held while a cell is started, assigned or killed.
//
// # Debuggers
//
// A [Debugger] is a port of this machine that leads to the debugger's port inside of a cell. The connections are made by sockets that were created
// within the cell's network and handed out when it was made ([sandbox.Cell.Dial]), so nothing of the cell's network is opened to others. Where a debugger is found and how it is opened is in debugtool.go, by language: as an argument of the runtime (Node.js,
// Java), by the client (Python, Ruby), or as a program that runs the function's (Go), for which the cell's processes may trace each other.
//
// A runtime is never replaced silently: when the major version that a function asks for is not installed, the catalog
// takes the nearest newer one (else the nearest older one) of the same language and says so in [Runtime.Warning], or, when it is
// strict, fails with a [MissingError] that names the package to install.
//
// # Snapshots
//
// An environment with Spec.Snapshot is initialised and then waits in restore/next (rapi/restore.go) until [Environment.Restore]. The clients of python and
// java run the hooks that functions have registered, by the names of snapshot_restore_py and of org.crac.
//
// # Extensions
//
// Programs in /opt/extensions are started by a shell that then becomes the runtime, which makes the sandbox's init their parent. An environment is ready
// when the runtime and every extension ask for an event. The runtime's answer is handed over at once; extensions have until the invocation's deadline to ask
// again, else the environment is ended. At the end extensions hear first, then the runtime is asked to go.
//
// They can subscribe to telemetry (package telemetry), which is sent to ports that they listen on, over sockets as debuggers have them.
package runtimes
