// Package ec2 is the networking of Amazon EC2 as consistent data: networks, subnets, routes, gateways, addresses, interfaces, security groups, access control lists, endpoints,
// prefix lists, peerings, flow logs, key pairs and launch templates, with the default network that every account has in every region.
//
// # Keys
//
// All keys begin with ("ec2", account, region), then:
//
//	"obj", kind, id        an object (record). Kind is AWS's resource type, such as "route-table"; security group rules, interfaces and versions of
//	                       launch templates are objects of their own
//	"tag", id, key         the value of a tag, for objects of all kinds in one table
//	"ref", id, kind, user  a reference: the object user, of a kind, needs the object id. It is written with the object that refers, so that what is in use is
//	                       one look, and what belongs to a network or subnet is one range
//	"default"              the default network has been made once; it does not come back when it is deleted
//
// # Invariants
//
// A record is the shape that the describing call answers, without what follows from other rows: tags, states of routes, rules of groups, counts of free addresses. Those are put in
// when it is shown, so that they cannot differ from what they follow from.
//
// No reference leads to an object that is not there: an object is deleted only when nothing refers to it, or together with what does.
//
// What an object's making makes with it (the main route table, the access control list and the security group of a network, the interface of a NAT gateway) is made and deleted in
// the same commit. States that pass on AWS (pending, deleting) are answered by the call that begins them and have passed at the next look.
//
// Ids are drawn from a seed of the call: a random one, or for a call with a client token one that follows from the token, so that a repeated call makes nothing twice.
//
// # What it deliberately is not
//
// No packet goes through what is kept here: a security group filters nothing, a route leads nowhere, and functions reach the platform and the internet the same way whatever
// network they name. Machines, disks and images are refused by the names of their operations, and a call that lists machines answers that there are none.
//
// # Locks
//
// None: all state is in the store.
package ec2
