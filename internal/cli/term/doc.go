// Package term is what the command line shows: text in colours where the terminal has them, tables, JSON, and
// the progress tree of a deploy.
//
// Data goes to standard output and talk goes to standard error, so that a command's result can be piped. Colours and
// redrawing happen only on a terminal: NO_COLOR and TERM=dumb switch colours off, CLICOLOR_FORCE switches them on. Nothing else
// in Lambent writes escape sequences.
package term
