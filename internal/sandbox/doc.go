// Package sandbox runs programs that nobody has to trust: functions now, containers later.
//
// A [Host] starts [Cell]s on this machine. A cell is a process tree in namespaces of its own (user, mount, pid, network, ipc,
// uts) on a read-only root that is put together from binds, with a private /tmp of a fixed size, under cgroup limits, with no
// capabilities, no way to gain privileges, a Landlock rule set and a seccomp filter. Its first process is a tiny init
// (package program) that reaps, passes signals on and takes the whole cell with it when the payload ends.
//
// # Processes
//
// The daemon never clones: a clone with a user namespace copies page tables, and the daemon's are large. It starts one
// spawner, which is the same binary re-exec'd (so main and test binaries call [MaybeChild] before anything else),
// and talks to it over a SOCK_SEQPACKET socket: one datagram is one message, descriptors travel with it. The spawner clones,
// makes and removes cgroups, reaps, and kills. When the daemon goes away, by whatever means, the spawner sees the end of its
// socket, and kills every cell before it leaves; when the spawner is killed, the kernel kills the cells (parent-death signal).
//
// # Parked cells
//
// A cell can be started ahead of need ([Spec.Parked]): with a language runtime of the platform's own choice that waits, or held just before it would
// run a program ([Spec.Held]). [Cell.Assign] then attaches folders to it, sets its limits, and names the program. For that the spawner takes the folder from the host
// (open_tree), restricts it, enters the cell's mount namespace on its main thread, and puts it there (move_mount). A held program comes as one
// datagram that is laid out for the address of a buffer, which the child of a clone has where its parent had it. A parked cell runs nothing but
// the platform's own code; an assigned one never goes back.
//
// # Processor time
//
// Cells compete with the platform and the rest of the machine by weight, each for itself. One that uses more than half a processor or half of its share yields: the spawner
// puts it into the kernel's class of idle groups, until it gets less than that. Parked cells are made there.
//
// # Network
//
// A cell has a network namespace with nothing but a loopback device. Listeners of a cell (the Runtime API, the platform's
// endpoint) are made inside that namespace and handed out to the daemon, so a cell reaches exactly them, under the addresses
// it is told, and the daemon knows the caller by the listener. The internet is reached through the daemon as well: every other
// destination is redirected inside the cell's own namespace to one more listener, and the daemon connects on the cell's
// behalf if the [Egress] policy allows the address. Nothing in the host's network configuration is touched, it works without
// privileges, and neither the host's own addresses nor link-local metadata services can be reached.
// TCP over IPv4 and DNS pass; other UDP, ICMP and IPv6 do not.
// A destination that the policy refuses is a connection that opens and is reset at once (ECONNRESET at the first read or write, where a firewall would give
// ECONNREFUSED): the cell's kernel completes the handshake with the redirected listener before the daemon learns where the connection was meant to go, and Linux gives a
// listener no way to look at a connection before it answers it. What could refuse the handshake itself is rules in the cell, which cannot know what the policy says of
// the host's addresses as they change, or a TCP stack of the daemon's own in the place of the kernel's.
//
// # Where the kernel refuses
//
// What this machine allows is found out once, by starting a cell; [Host.Report] says which layers are on and why others
// are not. Root does without user namespaces where those are switched off. Everybody else gets plain processes of his own user with what needs no
// privileges (no_new_privs, no capabilities, seccomp, Landlock, resource limits), and mount targets in its arguments and environment are replaced by the folders on the host. The report of such a
// host is not [Report.Isolated] and must be shown to the operator.
//
// # What it is not
//
// Not a virtual machine: cells share the host's kernel, which makes a host one trust domain. Not a container engine: of images it knows
// nothing but the folder that is to be a cell's root ([Spec.Root]). It keeps no record: cells do not outlive the daemon.
//
// # Locks
//
// Host.mu guards the table of cells and the connection to the spawner. Cell.mu guards what is known about a cell's end. Neither
// is held while talking to the spawner or writing to a sink.
package sandbox
