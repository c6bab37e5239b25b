// Package program runs a prepared list of system calls in a freshly cloned child.
//
// A sandbox is made by some hundred system calls between clone and exec. Running them in a re-exec'd Go program costs
// the start of a Go runtime each time; running them as ordinary Go code after a clone is impossible, because the child
// has one thread and no scheduler. So the parent writes them down first, with every buffer allocated and every pointer
// resolved, and the child walks the list in one function that neither allocates nor grows its stack, the way package
// syscall does for fork and exec.
//
// A step may take the result of an earlier step as an argument (a descriptor that was just opened), store a result into a
// prepared buffer (a control message that passes it on), and be optional. The first failing step ends the child after a
// report of its number and errno has been written, and the parent turns that into the step's name.
//
// The step Fork splits the child: the new process goes on with the steps behind it, which end in an exec, and the process
// that forked becomes the init of the sandbox. It reaps what is left to it, passes signals on to the forked process,
// reports that process's wait status and exits with it, which ends every process of its pid namespace.
//
// Invariants: nothing that the child runs may allocate, split the stack, take a lock or call into the runtime; all signals
// are blocked while it runs; a Program is built, started once and kept reachable until Start has returned.
package program
