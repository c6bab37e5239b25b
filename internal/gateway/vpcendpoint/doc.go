// Package vpcendpoint tells through which VPC endpoint a request to an API came.
//
// No packet goes through the networks that package services/ec2 keeps, so a connection does not show an endpoint. A request says it itself, with the header
// [Header], and is believed only where nobody but the people of this machine can ask: when the listener is on loopback ([Endpoints.Heard]). Everywhere else
// no request has an endpoint, and what is private stays closed.
package vpcendpoint
