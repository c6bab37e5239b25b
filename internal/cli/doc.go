// Package cli is the command line: one file per command, and running.go, by which commands find the Lambent that runs.
//
// Every command but up is a client: it talks HTTP to a running Lambent with signed requests, like any other tool. up
// starts the platform in its own process and then deploys through that same door.
//
// # Output
//
// Data goes to standard output, talk to standard error; commands that read have --json. An error says what happened, why,
// and which command helps. Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 nothing is running, 130 interrupted
// (docs/errors.md). The commands invoke and exec end with the code of what they ran.
//
// # Files
//
// In the data folder, running.json tells the process id and the URL of the Lambent that uses it; it is removed at the end
// and checked for life before it is believed. build/ holds built functions.
package cli
