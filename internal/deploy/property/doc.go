// Package property turns the plain values of a template into the typed properties of a resource type, and compares them.
//
// The struct type of the properties is the schema: its cfn tags name the properties, see [service.ResourceSpec]. [Shape.Normalise] checks
// values against it, refuses what it does not have, and brings scalars to the type of their field, so that "128" and 128
// are equal. [Shape.Decode] fills a struct. [Shape.Diff] lists the properties that differ and which of them replace the resource.
//
// Values that are not known before a deploy ([template.Unknown]) are accepted everywhere and stay what they are.
//
// [service.ResourceSpec]: https://pkg.go.dev/lambent.dev/lambent/internal/service#ResourceSpec
package property
