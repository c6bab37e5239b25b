// Package template reads CloudFormation templates and evaluates their expressions. It does no input or output.
//
// [Parse] turns YAML or JSON into plain values (maps, slices, strings, int64, float64, bool, nil) and remembers where each
// stood, so that an error can name a line. Short tags become their long form: !Ref X is {"Ref": "X"}. [Decode] reads the
// sections of a template and refuses what CloudFormation refuses and what this version does not support, by name. An
// [Env] evaluates expressions: parameters, pseudo parameters, mappings, conditions and the intrinsic functions. What depends on
// a resource that is not there yet evaluates to an [Unknown], and so does everything built from it.
//
// # Scalars
//
// Plain YAML scalars follow YAML 1.1 as CloudFormation reads it: yes, no, on and off are booleans, 010 is eight, and a date
// such as 2012-10-17 stays the string it looks like.
//
// # Bounds
//
// A template has at most [MaxBytes], [MaxNodes] values after aliases are expanded, and [MaxDepth] levels; more is an error, so that
// a few lines of nested aliases cannot exhaust the memory.
//
// Values returned by this package are shared, not copied: callers must not change them.
package template
