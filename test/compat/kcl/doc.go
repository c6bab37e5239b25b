// Package kcl reads a data stream with the Kinesis Client Library 3 (Apache-2.0), through its leases in DynamoDB, over CBOR and HTTP/2.
//
// A small Java program (client) puts records, reads them by polling or by enhanced fan-out while the stream is resharded, and ends when it has seen each
// of them once. It needs a JDK 17 and Maven:
//
//	make compat-kcl
package kcl
