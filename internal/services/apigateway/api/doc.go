// Package api holds the records of REST APIs and the keys under which they are stored. The control plane (package apigateway) writes them, the data plane
// (package apigateway/plane) reads them; package apigateway's documentation has the layout.
//
// Most of a record is the shape that clients read: what PutMethod answers is what is stored and what the data plane compiles. Defaults are filled in when a
// record is written, so that a reader need not know them. Pointers are nil where the client gave nothing and AWS shows nothing.
//
// The data plane reads a stage with [Load]. A tree never changes once it is deployed, so that what is compiled from one may be kept by its hash.
package api
