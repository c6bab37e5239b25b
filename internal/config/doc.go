// Package config holds the settings of Lambent: one struct, one table that describes each setting, and the
// four places from which values come.
//
// A later place wins over an earlier one:
//
//  1. the default in the table,
//  2. the file lambent.yaml in the project's folder, or the one named by --config,
//  3. the environment: LAMBENT_ and the setting's name in capitals, dashes as underscores,
//  4. a flag of the command line: two dashes and the setting's name.
//
// The table in settings.go is the reference manual; docs/configuration.md is written from it, and a test holds the two
// together. A name that the table does not have is refused wherever it appears, because a misspelled safety setting
// must never be silently off. Nothing outside of this package reads the environment for a setting.
package config
