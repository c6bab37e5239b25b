// Package hostile holds what Lambent owes to those who mean it harm, seen from outside: at its port and from inside a function.
//
// Each test starts the whole platform on a data folder of its own, does one bad thing by hand-made HTTP, and asks three questions: is the
// answer a clear error in the shape of the API, is nothing kept, and does the platform still serve the next caller. The hostile functions (payload) are one in each
// language, which try the same. What one package can be asked
// alone is held by its own tests: every form of a bad signature in internal/auth/sigv4, every bad archive in internal/runtimes/code, every
// forbidden system call in internal/sandbox.
package hostile
