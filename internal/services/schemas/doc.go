// Package schemas is Amazon EventBridge Schemas: registries of schemas with their versions, and discoverers, which learn schemas from the events of a bus.
//
// # Keys
//
// All keys begin with ("schemas", kind, account, region), then:
//
//	"r", registry                    a registry with its policy (record); discovered-schemas has a row once a discoverer or a schema was made
//	"s", registry, schema            a schema (record), with what its discovery knows
//	"v", registry, schema, number    a version of a schema (record); numbers count from 1 and are not used again
//	"d", id                          a discoverer (record); its id follows from the bus, which has one at most
//
// # Discovery
//
// EventBridge shows every event that comes to a bus ([Service.Discover]) before it is acknowledged. A bus without a discoverer that is started costs a look into memory. For one
// that has, the event is held against the shape that is known of its source and detail type; only an event that adds to it costs a transaction, which makes a new version
// of the schema. So discovery needs no queue, loses nothing, and rests when nothing new comes. It ends for a schema that has reached maxVersions or maxContent.
//
// What is inferred: the members that were seen, required when each event had them; texts that always were times are date-times; a null makes a value nullable, and
// values of several kinds have no type.
//
// # What it deliberately is not
//
// There are no code bindings, and no registry aws.events with the schemas of AWS's own events.
//
// # Locks
//
// None: all state is in the store, and in package memo.
package schemas
