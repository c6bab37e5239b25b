// Package openapi reads and writes REST APIs as OpenAPI 2.0 and 3.0 documents with API Gateway's extensions.
//
// # Import
//
// The importer is lenient: it walks the document as a generic tree and takes what an API is made of. What it does not know is a [Warnings] entry and no failure; an
// operation that an API cannot have (two variables in one place, an unknown kind of integration) fails the import, with all such errors listed. References are followed
// within the document; a schema's reference to another schema becomes the reference of one model to another, so that schemas may refer to each other in circles.
//
// An import changes a tree ([Import]): one that is empty but for its root, the one of an API that is merged with the document, or one that keeps
// nothing but the ids of what has the same name, when an API is overwritten.
//
// # Export
//
// [Export] writes a tree, with the extensions that are asked for. What was imported with all extensions and is exported with all extensions is imported as the same tree again.
//
// # Invariants
//
// Documents come from the network: size, depth and the number of nodes are bounded, and nothing is read from outside of the document.
package openapi
