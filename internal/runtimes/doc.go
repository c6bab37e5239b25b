// Package runtimes turns a function's runtime identifier, such as "nodejs22.x" or "provided.al2023", into a process that
// answers invocations.
//
// A [Catalog] knows the identifiers of AWS, finds the language runtimes that are installed on this machine, and unpacks Lambent's
// own runtime clients (clients/, embedded) where cells can be given them. [Start] puts a runtime, a function's code and its
// environment together into a sandbox cell and serves the Runtime API to it (package rapi); the result is an
// [Environment]: what AWS calls an execution environment. What invokes it, how many there are and what becomes of its log is the business of
// the Lambda service. Package code keeps the unpacked code.
//
// A runtime is never replaced silently: when the major version that a function asks for is not installed, the catalog
// takes the nearest newer one (else the nearest older one) of the same language and says so in [Runtime.Warning], or, when it is
// strict, fails with a [MissingError] that names the package to install.
//
// Not here yet: java, ruby and dotnet, extensions, layers in images. They are refused by name.
package runtimes
